package main

import _ "embed"

// tryItPage is what the publish listener serves at /: it subscribes, publishes, and shows what arrived and the verdict.
//
//go:embed tryit.html
var tryItPage []byte
