package flags

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// Attach gives a command the table's flags and help, and reads its environment before the command runs.
func (t Table) Attach(c *cobra.Command, prefix string) *cobra.Command {
	t.Register(c.Flags())
	work := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := t.Env(prefix, c.Flags(), os.LookupEnv); err != nil {
			return err
		}
		return work(c, args)
	}
	c.SetUsageFunc(func(c *cobra.Command) error {
		_, err := fmt.Fprintf(c.OutOrStderr(), "Usage:\n  %s\n%s", c.UseLine(), t.Usage(prefix))
		return err
	})
	return c
}
