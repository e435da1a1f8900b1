package admin

import "net/http"

// nodes lists the cluster as this node sees it.
func (s *Server) nodes(w http.ResponseWriter, r *http.Request) {
	q := query{values: r.URL.Query()}
	q.allow()
	if q.refused(w) {
		return
	}
	list := s.source.Nodes()
	list.Nodes = nonNil(list.Nodes)
	answer(w, http.StatusOK, list)
}

// NodeList is the cluster as the asked node sees it.
type NodeList struct {
	Cluster bool   `json:"cluster"` // false: the asked node is alone, and Nodes is empty
	Nodes   []Node `json:"nodes"`   // by name, the asked one included

	Lease       string   `json:"lease,omitempty"`       // how long a node that is not heard of counts as alive
	Incarnation string   `json:"incarnation,omitempty"` // of the directory's store: it changes when claims may have been lost
	Marked      bool     `json:"marked"`                // every node's claims stand in that incarnation, so that nobody means nobody
	Current     bool     `json:"current"`               // the directory was heard of lately; else this is what was known then
	BeatSeconds float64  `json:"beat_seconds"`          // since the directory last answered a beat; -1 never
	Dirty       int      `json:"dirty_claims"`          // of the asked node: claims that wait to be written
	Remarks     []string `json:"remarks,omitempty"`     // what an operator should look at
}

// Node is one instance of a node. A node that was restarted may be there twice until its old instance is known to have
// ended.
type Node struct {
	Name     string `json:"name"`
	Instance string `json:"instance"` // a number for each start, in hexadecimal
	Address  string `json:"address"`  // where its links come in
	Release  string `json:"release"`
	Self     bool   `json:"self"`

	Lease         string `json:"lease"`                    // live or lapsed
	LapsedSeconds int64  `json:"lapsed_seconds,omitempty"` // since that was seen; -1 it never had one
	Claims        string `json:"claims"`                   // complete, or behind: others ask it about every key meanwhile

	Link             string  `json:"link"` // self, up, down, or refused when nobody listens there any more
	LinkError        string  `json:"link_error,omitempty"`
	LinkSeconds      int64   `json:"link_seconds"`       // since the link's state changed
	RoundTripSeconds float64 `json:"round_trip_seconds"` // of the last ping; 0 before the first
	InFlight         int     `json:"in_flight"`          // our requests to it without a report
	QueuedBytes      int     `json:"queued_bytes"`       // that wait to be written
	SentBytes        uint64  `json:"sent_bytes"`
	ReceivedBytes    uint64  `json:"received_bytes"`
	Reconnects       uint64  `json:"reconnects"`
	Serving          int     `json:"serving"` // its requests that we work on
}
