package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/flags"
)

// tables are all flag tables of the program by command.
func tables() map[string]flags.Table {
	a := newAsking()
	return map[string]flags.Table{
		"serve": newServing().table(), "push": a.publisher(), "conns": a.conns(), "keys": a.keys(), "nodes": a.nodes(), "top": a.top(),
	}
}

func TestTablesAreComplete(t *testing.T) {
	for name, table := range tables() {
		if len(table) == 0 {
			t.Errorf("%s has no flags", name)
		}
		for _, finding := range table.Check() {
			t.Errorf("%s: %s", name, finding)
		}
	}
}

// A variable that two commands share must mean the same to both.
func TestSharedNamesAgree(t *testing.T) {
	first := map[string]flags.Flag{}
	for name, table := range tables() {
		for _, f := range table {
			if other, ok := first[f.Name]; ok && (other.Unit != f.Unit || name == "serve") {
				t.Errorf("--%s of %s counts %s, elsewhere %s", f.Name, name, f.Unit, other.Unit)
			}
			if name != "serve" {
				first[f.Name] = f
			}
		}
	}
}

// unbound are fields of the engine's Config that no flag sets, and why.
var unbound = map[string]string{
	"Loop.ID":                    "the engine numbers its loops",
	"Loop.MaxConns":              "the engine passes its own on",
	"Loop.Conns":                 "the engine's loops share one count",
	"Gateway.Node":               "the engine passes its own on",
	"Gateway.Tokens":             "read from --publish-token-file",
	"HTTP2.Limits.Frame":         "what every client must be content with",
	"HTTP2.Limits.Block":         "four times the longest list",
	"HTTP2.Limits.List":          "the codec's; --h2-max-fields says how many",
	"HTTP2.Limits.Continuations": "the codec's: as many as the longest block needs",
	"HTTP2.Connect":              "on, as WebSockets are wired",
	"Cluster.Store":              "opened by --directory",
	"Cluster.Secret":             "read from --cluster-secret-file",
	"Cluster.TLS":                "made of --peer-cert, --peer-key and --peer-ca",
	"Cluster.Release":            "the program's own",
	"Cluster.Trouble":            "written to standard error",
	"Snapshot":                   "made from the listeners and the policy",
	"Socket.Inbound":             "named by --ws-inbound",
	"Slow.Action":                "named by --slow-policy",
	"Slow.QueueBytes":            "--queue sets the default for every route",
	"Slow.Stall":                 "--stall-timeout sets the default for every route",
}

// leaves walks the fields of a Config and of the Configs inside it.
func leaves(v reflect.Value, path string, visit func(path string, field any)) {
	for i := range v.NumField() {
		field, name := v.Field(i), strings.TrimPrefix(path+"."+v.Type().Field(i).Name, ".")
		if field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[time.Time]() {
			leaves(field, name, visit)
			continue
		}
		visit(name, field.Addr().Interface())
	}
}

func TestEveryFieldHasAFlag(t *testing.T) {
	s := newServing()
	bound := map[any]bool{}
	for _, f := range s.table() {
		bound[f.Pointer] = true
	}
	count := 0
	visit := func(path string, field any) {
		count++
		if bound[field] == (unbound[path] != "") {
			t.Errorf("%s: has a flag: %v, excused: %q", path, bound[field], unbound[path])
		}
	}
	leaves(reflect.ValueOf(&s.engine).Elem(), "", visit)
	leaves(reflect.ValueOf(&s.policy).Elem(), "", visit)
	if count < 40 {
		t.Errorf("the walk saw %d fields only", count)
	}
}

// The help shows the defaults that the rooms would take themselves: no flag may show 0 for "the default".
func TestDefaultsAreShown(t *testing.T) {
	zeroIsMeant := map[string]bool{"loops": true, "backlog": true, "max-body": true, "retry-hint": true}
	for _, f := range newServing().table() {
		if (f.Default == "0" || f.Default == "0s") && !zeroIsMeant[f.Name] {
			t.Errorf("--%s shows %s", f.Name, f.Default)
		}
	}
}
