// Package field holds what every HTTP version shares about fields: the byte
// classes of RFC 9110, case-blind names, lists, content negotiation and dates.
// It works on views of the caller's bytes, keeps none of them, and never
// allocates. Read field.go first, then bytes.go, list.go, accept.go, date.go.
package field
