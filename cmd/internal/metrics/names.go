package metrics

// The families that the daemon writes and the live view reads. Labels are in brackets.
const (
	Conns             = "holdfast_conns"                   // open connections [loop]
	ConnStates        = "holdfast_conn_states"             // open connections [state]
	ConnBytes         = "holdfast_conn_bytes"              // memory of one connection, see the family's help
	Holds             = "holdfast_holds"                   // exchanges that wait for messages [form]
	Keys              = "holdfast_keys"                    // keys that have a holder
	Accepted          = "holdfast_conns_accepted_total"    // connections accepted [loop]
	AcceptPauses      = "holdfast_accept_pauses_total"     // times that accepting stopped or failed [reason]
	Closed            = "holdfast_conns_closed_total"      // connections that ended [reason]
	QueuedConns       = "holdfast_queued_conns"            // connections with output waiting [loop]
	QueuedBytes       = "holdfast_queued_bytes"            // that output [loop]
	ReceivedBytes     = "holdfast_received_bytes_total"    // from clients [loop]
	SentBytes         = "holdfast_sent_bytes_total"        // to clients [loop]
	Requests          = "holdfast_requests_total"          // requests begun [protocol]
	Pushes            = "holdfast_pushes_total"            // messages published [verdict]
	Deliveries        = "holdfast_deliveries_total"        // messages to single holders [fate]
	PushSeconds       = "holdfast_push_seconds"            // histogram: last byte of a push to its verdict
	Nodes             = "holdfast_nodes"                   // nodes of the cluster that are known [lease]
	Links             = "holdfast_links"                   // links to them [state]
	Behind            = "holdfast_behind"                  // 1 while claims of this node are missing
	LastBeat          = "holdfast_last_beat_seconds"       // age of the directory's last answer to a beat
	Claims            = "holdfast_claims_total"            // claims written [result]
	Lookups           = "holdfast_lookups_total"           // lookups in the directory [from]
	Forwards          = "holdfast_forwards_total"          // requests to other nodes [way]
	DirectorySeconds  = "holdfast_directory_seconds"       // histogram: calls to the directory [call]
	LoopBusySeconds   = "holdfast_loop_busy_seconds_total" // time outside the wait [loop]
	LoopTicks         = "holdfast_loop_ticks_total"        // rounds of the event loop [loop]
	ProcessRSS        = "process_resident_memory_bytes"    // see WriteProcess
	ProcessCPUSeconds = "process_cpu_seconds_total"        // see WriteProcess
	ProcessFiles      = "process_open_fds"                 // see WriteProcess
)
