package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/admin"
	"holdfast/cmd/internal/flags"
)

func nodesCommand() *cobra.Command {
	a := newAsking()
	return a.nodes().Attach(&cobra.Command{
		Use:   "nodes [flags]",
		Short: "List the nodes of the cluster",
		Long: "Nodes lists the cluster as the asked node sees it: leases, whether each node's claims are in the directory, and the\n" +
			"links from the asked node to the others. What needs a look is said on the standard error.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			nodes, err := a.client(a.adminURL).Nodes(c.Context())
			if err != nil {
				return err
			}
			if !nodes.Cluster {
				fmt.Fprintln(c.ErrOrStderr(), "holdfast: this node is alone: it was started without --directory")
				return nil
			}
			if err := a.printNodes(c.OutOrStdout(), nodes.Nodes); err != nil {
				return err
			}
			for _, remark := range nodes.Remarks {
				fmt.Fprintln(c.ErrOrStderr(), "holdfast:", remark)
			}
			return nil
		},
	}, envPrefix)
}

func (a *asking) printNodes(out io.Writer, nodes []admin.Node) error {
	const head = "NODE\tINSTANCE\tADDRESS\tLEASE\tCLAIMS\tLINK\tROUND TRIP\tIN FLIGHT\tQUEUED\tSENT\tRECEIVED\tRECONNECTS"
	return list(a, out, head, nodes, func(n admin.Node) []string {
		row := []string{n.Name, n.Instance, n.Address, since(n.Lease, n.LapsedSeconds), n.Claims}
		if n.Self {
			return append(row, n.Link, "-", "-", "-", "-", "-", "-")
		}
		trip := "-"
		if n.RoundTripSeconds > 0 {
			trip = time.Duration(n.RoundTripSeconds * float64(time.Second)).Round(time.Microsecond).String()
		}
		return append(row, since(n.Link, n.LinkSeconds), trip, strconv.Itoa(n.InFlight), flags.FormatSize(n.QueuedBytes),
			flags.FormatSize(int(n.SentBytes)), flags.FormatSize(int(n.ReceivedBytes)), strconv.FormatUint(n.Reconnects, 10))
	})
}

// since is a state and how long it has been so, if that is known.
func since(state string, seconds int64) string {
	if seconds <= 0 {
		return state
	}
	return state + " " + ago(seconds)
}
