package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/flags"
	"holdfast/perf/model"
)

// modelling is what the model command can be told.
type modelling struct {
	model.Config
	json, svg string
}

func newModelling() *modelling { return &modelling{Config: model.Default()} }

func (s *modelling) table() flags.Table {
	const file = "Report"
	return append(append(append(s.clients(), s.directory()...), s.store()...), flags.Table{
		flags.New("lost", "Faults", "percent", &s.Lost, "Nodes that are lost at once. 0 leaves that scene out."),
		flags.New("down", "Faults", "duration", &s.Down, "From the failure of the first shard until its replica serves."),
		flags.New("steady", "Faults", "duration", &s.Steady, "How long the cluster in balance is watched."),
		flags.New("limit", "Faults", "duration", &s.Limit, "After this long a scene ends, recovered or not."),
		flags.New("seed", "Faults", "number", &s.Seed, "Of all chance: the same seed and flags give the same bytes."),
		flags.New("step", "Faults", "duration", &s.Step, "In which a node acts: what happens within one is a single lump."),
		flags.New("json", file, "file", &s.json, "A file for the whole report as JSON."),
		flags.New("svg", file, "file", &s.svg, "A file for the plots of who is back when."),
	}...)
}

func (s *modelling) clients() flags.Table {
	const cluster, clients, pushes = "Cluster", "Clients", "Pushes and links"
	return flags.Table{
		flags.New("nodes", cluster, "nodes", &s.Nodes, "Nodes of the cluster, each linked to each."),
		flags.New("keys", cluster, "keys", &s.Keys, "Keys, one client each: connected, or about to come back."),
		flags.New("shards", cluster, "shards", &s.Shards, "Shards of the store; the first keeps the node table."),
		flags.New("life", clients, "duration", &s.Life, "How long a connection lives, on average."),
		flags.New("away", clients, "duration", &s.Away, "How long a client that left stays away, on average."),
		flags.New("polls", clients, "percent", &s.Polls, "Keys that are held by long-polls."),
		flags.New("poll-every", clients, "duration", &s.PollEvery, "How long a poll waits for its answer."),
		flags.New("poll-gap", clients, "duration", &s.PollGap, "From a poll's answer to the next poll, on average."),
		flags.New("accept-rate", clients, "connections/s", &s.AcceptRate, "Connections that one node accepts."),
		flags.New("connect-wait", clients, "duration", &s.ConnectWait, "How long a client waits in a node's queue before it gives up."),
		flags.New("notice", clients, "duration", &s.Notice, "Within this, clients of a host that fell silent learn of it, evenly spread."),
		flags.New("dither", clients, "duration", &s.Dither, "Within this they try again, evenly spread."),
		flags.New("backoff", clients, "duration", &s.Backoff, "At most this long is waited before the second try, and twice as long before each further one."),
		flags.New("max-backoff", clients, "duration", &s.MaxBackoff, "The most that a doubled backoff comes to."),
		flags.New("balancer", clients, "duration", &s.Balancer, "How long the balancer sends clients to lost nodes."),
		flags.New("pushes", pushes, "pushes/s", &s.Pushes, "Pushes to the whole cluster, each to one key."),
		flags.New("push-bytes", pushes, flags.Bytes, &s.PushBytes, "A forwarded push and its report on the wire."),
		flags.New("skew", pushes, "hundredths", &s.Skew, "The exponent of Zipf's law for how popular keys are: 80 is 0.8. 0 makes all alike."),
		flags.New("ping", pushes, "duration", &s.Ping, "The silence after which a link is asked."),
		flags.New("dead", pushes, "duration", &s.Dead, "The silence after which a link is down."),
		flags.New("ping-bytes", pushes, flags.Bytes, &s.PingBytes, "A ping and its answer on the wire, both ways."),
		flags.New("link-memory", pushes, flags.Bytes, &s.LinkMemory, "What one end of a connection between nodes costs."),
	}
}

func (s *modelling) directory() flags.Table {
	const group = "Directory"
	return flags.Table{
		flags.New("lease", group, "duration", &s.Lease, "How long a node's lease lasts without a beat."),
		flags.New("beat", group, "duration", &s.Beat, "How often a node renews its lease."),
		flags.New("refresh", group, "duration", &s.Refresh, "Every claim is written again within this, evenly spread."),
		flags.New("linger", group, "duration", &s.Linger, "A claim outlives its last holder by this."),
		flags.New("batch", group, "claims", &s.Batch, "Claims in one write."),
		flags.New("writers", group, "writes", &s.Writers, "Writes of one node that may be in flight."),
		flags.New("flush", group, "duration", &s.Flush, "How long a write waits to fill."),
		flags.New("reclaim-rate", group, "claims/s", &s.ReclaimRate, "Claims that one node makes again when the store's contents are new, at most."),
		flags.New("paced", group, "switch", &s.Paced, "It makes fewer while the store is slow."),
		flags.New("store-timeout", group, "duration", &s.StoreTimeout, "After this long a call to the store has failed."),
		flags.New("cache", group, "entries", &s.Cache, "Owners that one node keeps."),
		flags.New("max-behind", group, "nodes", &s.MaxBehind, "Up to so many nodes that are behind are asked for every push; with more of them, who is not found is in doubt."),
	}
}

func (s *modelling) store() flags.Table {
	const group = "Costs of the store"
	return flags.Table{
		flags.New("shard-claims", group, "claims/s", &s.ShardClaims, "Claims that one shard can do, apart from the cost of requests."),
		flags.New("request-cost", group, "duration", &s.RequestCost, "What reading and answering one request takes, whatever is in it."),
		flags.New("lookup-cost", group, "duration", &s.LookupCost, "What one lookup takes besides."),
		flags.New("beat-cost", group, "duration", &s.BeatCost, "What the script of a beat takes besides, on the first shard."),
		flags.New("row-cost", group, "duration", &s.RowCost, "What each row of the node table takes that a beat returns."),
		flags.New("delta", group, "switch", &s.Delta, "A beat returns the rows that changed, instead of all when any did."),
		flags.New("round-trip", group, "duration", &s.RoundTrip, "To the store and back, without its work."),
		flags.New("tracked", group, "keys", &s.Tracked, "Keys of which one shard remembers who keeps them; beyond it, it invalidates one."),
		flags.New("claim-bytes", group, flags.Bytes, &s.ClaimBytes, "A claim on the wire, both ways."),
		flags.New("lookup-bytes", group, flags.Bytes, &s.LookupBytes, "A lookup on the wire, both ways."),
		flags.New("beat-bytes", group, flags.Bytes, &s.BeatBytes, "A beat on the wire, both ways, without the node table."),
		flags.New("row-bytes", group, flags.Bytes, &s.RowBytes, "A row of the node table on the wire."),
		flags.New("notice-bytes", group, flags.Bytes, &s.NoticeBytes, "An invalidation on the wire."),
		flags.New("request-bytes", group, flags.Bytes, &s.RequestBytes, "Packet headers of a request, both ways."),
	}
}

func modelCommand() *cobra.Command {
	s := newModelling()
	return command("model", "Play a cluster too large to start, with keys as counts: traffic, and recovery from faults", s.table(), s.run)
}

func (s *modelling) run(ctx context.Context, out io.Writer) error {
	r, err := model.Run(ctx, s.Config)
	if err != nil {
		return err
	}
	rep := r.Report()
	return errors.Join(rep.WriteText(out), toFile(s.json, rep.WriteJSON), toFile(s.svg, rep.WriteSVG))
}
