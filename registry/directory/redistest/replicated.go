package redistest

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

// MasterName is what the sentinels of StartReplicated call the pair.
const MasterName = "holdfast"

// StartReplicated runs a master, its replica and three sentinels, any two of which promote the replica when the master is
// silent for half a second. It returns when all of them know each other.
func StartReplicated(t testing.TB) (master, replica *Server, sentinels []*Server) {
	t.Helper()
	master = Start(t, Options{})
	replica = Start(t, Options{Args: []string{"--replicaof", "127.0.0.1 " + strconv.Itoa(master.port), "--repl-diskless-sync-delay", "0"}})
	replica.await("sync with its master", func() bool { return replica.Info("replication", "master_link_status") == "up" })
	for range 3 {
		sentinels = append(sentinels, startSentinel(t, master))
	}
	for _, s := range sentinels {
		s.await("acquaintance with the others", func() bool {
			return s.Info("sentinel", "master0") == fmt.Sprintf("name=%s,status=ok,address=%s,slaves=1,sentinels=3", MasterName, master.Addr())
		})
	}
	return master, replica, sentinels
}

func startSentinel(t testing.TB, master *Server) *Server {
	t.Helper()
	s := newServer(t)
	config := fmt.Sprintf(`port %d
bind 127.0.0.1
dir %s
sentinel monitor %[3]s 127.0.0.1 %[4]d 2
sentinel down-after-milliseconds %[3]s 500
sentinel failover-timeout %[3]s 2000
`, s.port, s.dir, MasterName, master.port)
	if err := os.WriteFile(s.file("sentinel.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = []string{"redis-sentinel", s.file("sentinel.conf")}
	s.run()
	return s
}
