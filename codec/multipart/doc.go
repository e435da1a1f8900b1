// Package multipart writes a stream of messages as the parts of one multipart body (RFC 2046 §5.1) and reads publish
// requests of that form, multipart/mixed or multipart/form-data. A written part is complete to its reader as soon as
// it is sent, not when the next one comes. The reader is strict, hands out views, and never holds a part. There is no
// I/O here, and the happy path allocates nothing once a Parser has its fields. Nested multiparts are data, and so is
// what a Content-Transfer-Encoding has done to a part.
//
// Reading order: append.go (stream out), param.go (boundary and name), parse.go (parts in), delimiter.go and head.go
// (its two kinds of line).
package multipart
