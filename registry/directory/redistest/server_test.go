package redistest

import (
	"strings"
	"testing"
	"time"
)

func TestServerIsKilledAndRestarted(t *testing.T) {
	t.Parallel()
	f := func(persist, empty bool, want string) {
		t.Helper()
		s := Start(t, Options{Persist: persist})
		first := s.Info("server", "run_id")
		s.CLI("SET", "x", "1")
		s.Restart(empty)
		if got := s.CLI("EXISTS", "x"); got != want {
			t.Errorf("persist %v, empty %v: EXISTS is %s, want %s", persist, empty, got, want)
		}
		if s.Info("server", "run_id") == first {
			t.Error("it is the same process")
		}
	}
	f(true, false, "1")
	f(true, true, "0")
	f(false, false, "0")
}

func TestServerStandsStill(t *testing.T) {
	t.Parallel()
	s := Start(t, Options{})
	s.Stop()
	if s.answers() {
		t.Error("a stopped server answers")
	}
	s.Cont()
	s.await("answer", s.answers)
	s.Kill()
	s.Kill()
	if s.answers() {
		t.Error("a killed server answers")
	}
}

func TestServerWithPasswordAndTLS(t *testing.T) {
	t.Parallel()
	f := func(o Options) {
		t.Helper()
		s := Start(t, o)
		if got := s.CLI("PING"); got != "PONG" {
			t.Errorf("%+v: PING is %q", o, got)
		}
		if (s.TLS() != nil) != o.TLS {
			t.Errorf("%+v: TLS is %v", o, s.TLS())
		}
	}
	f(Options{Password: "sesame"})
	f(Options{TLS: true, Password: "sesame"})
}

func TestReplicatedFailsOver(t *testing.T) {
	t.Parallel()
	master, replica, sentinels := StartReplicated(t)
	master.CLI("SET", "x", "1")
	master.CLI("WAIT", "1", "1000")
	master.Kill()
	start := time.Now()
	replica.await("promotion", func() bool { return replica.Info("replication", "role") == "master" })
	t.Log("promoted after", time.Since(start))
	if replica.CLI("GET", "x") != "1" {
		t.Error("the replica has not what the master had")
	}
	sentinels[0].await("change of address", func() bool {
		return strings.Contains(sentinels[0].Info("sentinel", "master0"), replica.Addr())
	})
}

func TestClusterIsWhole(t *testing.T) {
	t.Parallel()
	servers := StartCluster(t)
	replica := StartClusterReplica(t, servers[0])
	servers[0].Kill()
	replica.await("promotion", func() bool { return replica.Info("replication", "role") == "master" })
	replica.AwaitCluster()
}
