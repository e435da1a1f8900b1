package redistest

import (
	"strings"
	"testing"
)

// StartCluster runs a Redis Cluster of three masters that share the slots.
func StartCluster(t testing.TB) []*Server {
	t.Helper()
	servers, create := make([]*Server, 3), []string{"--cluster", "create", "", "", "", "--cluster-yes"}
	for i := range servers {
		servers[i] = Start(t, Options{Args: []string{"--cluster-enabled", "yes", "--cluster-node-timeout", "1000"}})
		create[2+i] = servers[i].Addr()
	}
	servers[0].cli(create)
	for _, s := range servers {
		s.AwaitCluster()
	}
	return servers
}

// AwaitCluster waits until the server takes part in a cluster that serves all slots.
func (s *Server) AwaitCluster() {
	s.t.Helper()
	s.await("cluster that is whole", func() bool {
		info := s.CLI("CLUSTER", "INFO")
		return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_slots_ok:16384")
	})
}

// StartClusterReplica adds a replica of a master to its cluster.
func StartClusterReplica(t testing.TB, master *Server) *Server {
	t.Helper()
	s := Start(t, Options{Args: []string{"--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0"}})
	s.cli([]string{"--cluster", "add-node", s.Addr(), master.Addr(), "--cluster-slave", "--cluster-master-id", master.CLI("CLUSTER", "MYID")})
	s.await("sync with its master", func() bool {
		return s.Info("replication", "role") == "slave" && s.Info("replication", "master_link_status") == "up"
	})
	return s
}
