package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/admin"
	"holdfast/cmd/internal/client"
	"holdfast/cmd/internal/flags"
	"holdfast/cmd/internal/top"
	"holdfast/codec/key"
)

// errNobody ends a push whose verdict is that nobody was there: the verdict says so already.
var errNobody = errors.New("nobody is there")

func (a *asking) client(base string) *client.Client {
	return &client.Client{Base: base, Token: a.token, Timeout: a.timeout}
}

func pushCommand() *cobra.Command {
	a := newAsking()
	return a.publisher().Attach(&cobra.Command{
		Use:   "push KEY [DATA] [flags]",
		Short: "Publish one message and print its verdict",
		Long: "Push publishes DATA, or what stands on the standard input, to a key. The key is percent-encoded as in paths.\n" +
			"It ends with 0 when somebody got the message or will, with 3 when nobody is there, and with 1 when it failed.",
		Args: cobra.MaximumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error { return a.push(c, args) },
	}, envPrefix)
}

func (a *asking) push(c *cobra.Command, args []string) error {
	m := client.Message{All: a.all, Type: a.kind, ID: a.id, Event: a.event}
	if !a.all {
		if len(args) == 0 {
			return errors.New("name a key to push to, or say --all")
		}
		name, err := key.Decode(nil, []byte(args[0]))
		if err != nil {
			return fmt.Errorf("key %q: %w", args[0], err)
		}
		m.Key, args = name, args[1:]
	}
	var err error
	switch len(args) {
	case 0:
		m.Data, err = io.ReadAll(c.InOrStdin())
	case 1:
		m.Data = []byte(args[0])
	default:
		err = errors.New("with --all there is no key: give the data alone")
	}
	if err != nil {
		return err
	}
	answer, err := a.client(a.publishURL).Push(c.Context(), m)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.OutOrStdout(), strings.TrimSpace(string(answer.Body)))
	switch {
	case answer.Status < 300:
		return nil
	case answer.Status == 404:
		return errNobody
	}
	return fmt.Errorf("the push was answered %d", answer.Status)
}

func connsCommand() *cobra.Command {
	a := newAsking()
	return a.conns().Attach(&cobra.Command{
		Use:   "conns [flags]",
		Short: "List connections",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f := admin.ConnFilter{Form: a.form, MinAge: a.minAge, MinQueued: a.minQueued}
			if a.key != "" {
				name, err := key.Decode(nil, []byte(a.key))
				if err != nil {
					return fmt.Errorf("--key %q: %w", a.key, err)
				}
				f.Key = name
			}
			page, err := a.client(a.adminURL).Conns(c.Context(), f, a.limit)
			if err != nil {
				return err
			}
			if err := a.printConns(c.OutOrStdout(), page.Conns); err != nil {
				return err
			}
			if page.More {
				fmt.Fprintf(c.ErrOrStderr(), "holdfast: there are more; narrow the filter or raise --limit %d\n", a.limit)
			}
			return nil
		},
	}, envPrefix)
}

func (a *asking) printConns(out io.Writer, conns []admin.Conn) error {
	return list(a, out, "LOOP\tPEER\tLISTENER\tFORM\tAGE\tSENT\tQUEUED\tKEYS", conns, func(c admin.Conn) []string {
		return []string{
			strconv.Itoa(c.Loop), c.Peer, c.Listener, c.Form, ago(c.AgeSeconds), ago(c.SentSeconds),
			flags.FormatSize(c.QueuedBytes), strings.Join(c.Keys, " "),
		}
	})
}

func keysCommand() *cobra.Command {
	a := newAsking()
	return a.keys().Attach(&cobra.Command{
		Use:   "keys [KEY] [flags]",
		Short: "List keys that somebody holds, or who holds one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.holders(c, args[0])
			}
			return a.listKeys(c)
		},
	}, envPrefix)
}

func (a *asking) holders(c *cobra.Command, text string) error {
	name, err := key.Decode(nil, []byte(text))
	if err != nil {
		return fmt.Errorf("key %q: %w", text, err)
	}
	h, err := a.client(a.adminURL).Holders(c.Context(), name, a.limit)
	if err != nil {
		return err
	}
	if !a.asJSON {
		where := ""
		if len(h.Nodes) > 0 {
			where = " on this node; claimed by " + strings.Join(h.Nodes, ", ")
		}
		fmt.Fprintf(c.OutOrStdout(), "%s has %d holders%s\n", h.Key.Key, h.Holders, where)
	}
	if h.Doubt != "" {
		fmt.Fprintln(c.ErrOrStderr(), "holdfast: other nodes may hold it too:", h.Doubt)
	}
	return a.printConns(c.OutOrStdout(), h.Conns)
}

func (a *asking) listKeys(c *cobra.Command) error {
	prefix, err := decodePrefix(a.prefix)
	if err != nil {
		return err
	}
	var keys []admin.Key
	after := ""
	for len(keys) < a.limit {
		page, err := a.client(a.adminURL).Keys(c.Context(), prefix, after, min(a.limit-len(keys), admin.MaxLimit))
		if err != nil {
			return err
		}
		keys = append(keys, page.Keys...)
		if after = page.Next; after == "" {
			break
		}
	}
	err = list(a, c.OutOrStdout(), "HOLDERS\tKEY", keys, func(k admin.Key) []string { return []string{strconv.Itoa(k.Holders), k.Key} })
	if err == nil && after != "" {
		fmt.Fprintf(c.ErrOrStderr(), "holdfast: there are more; narrow --prefix or raise --limit %d\n", a.limit)
	}
	return err
}

func decodePrefix(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	prefix, err := key.Decode(nil, []byte(text))
	if err != nil {
		return nil, fmt.Errorf("--prefix %q: %w", text, err)
	}
	return prefix, nil
}

func topCommand() *cobra.Command {
	a := newAsking()
	return a.top().Attach(&cobra.Command{
		Use:   "top [flags]",
		Short: "Watch a node live",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			w := top.Watch{
				Title: "holdfast top   " + a.adminURL, Read: a.client(a.adminURL).Metrics,
				Out: c.OutOrStdout(), Every: a.every, Frames: a.frames, Redraw: isTerminal(c.OutOrStdout()),
			}
			return w.Run(c.Context())
		},
	}, envPrefix)
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// list prints entries as a table, or as JSON lines.
func list[T any](a *asking, out io.Writer, head string, entries []T, row func(T) []string) error {
	if a.asJSON {
		enc := json.NewEncoder(out)
		for i := range entries {
			if err := enc.Encode(entries[i]); err != nil {
				return err
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, head)
	for i := range entries {
		fmt.Fprintln(table, strings.Join(row(entries[i]), "\t"))
	}
	return table.Flush()
}

// ago writes seconds as people say them; below 0 is never.
func ago(seconds int64) string {
	if seconds < 0 {
		return "never"
	}
	return (time.Duration(seconds) * time.Second).String()
}
