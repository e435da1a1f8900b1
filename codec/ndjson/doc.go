// Package ndjson writes messages as one JSON value a line and cuts such streams back into lines. What it writes is
// always one line, whatever the message holds, even for readers that break lines at Unicode's other separators. It
// does no I/O, keeps no text, and appending allocates nothing but room in dst. What a line means is not its business.
//
// Reading order: split.go (lines in), message.go (lines out), text.go (strings), compact.go (a validating copier).
package ndjson
