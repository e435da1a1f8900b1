package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
)

// The look of a plot: dark on white, and the Okabe-Ito colours, which differ for the colour-blind too.
const (
	ink   = "#222222"
	faint = "#666666"
	grid  = "#e4e4e4"
	frame = "#999999"
)

var palette = [...]string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"}

// canvas collects the elements of one SVG document.
type canvas struct{ bytes.Buffer }

func (c *canvas) open(width, height float64, title string) {
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]s" height="%[2]s" viewBox="0 0 %[1]s %[2]s" `+
		`font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12" fill="%[3]s" role="img">`+"\n",
		px(width), px(height), ink)
	c.WriteString("<title>" + escape(title) + "</title>\n")
	fmt.Fprintf(c, `<rect width="%s" height="%s" fill="#ffffff"/>`+"\n", px(width), px(height))
}

func (c *canvas) close() { c.WriteString("</svg>\n") }

// text writes s; more holds further attributes, such as text-anchor.
func (c *canvas) text(x, y float64, s, more string) {
	if more != "" {
		more = " " + more
	}
	fmt.Fprintf(c, `<text x="%s" y="%s"%s>%s</text>`+"\n", px(x), px(y), more, escape(s))
}

func (c *canvas) line(x1, y1, x2, y2 float64, colour string) {
	fmt.Fprintf(c, `<line x1="%s" y1="%s" x2="%s" y2="%s" stroke="%s"/>`+"\n", px(x1), px(y1), px(x2), px(y2), colour)
}

func (c *canvas) dot(x, y float64, colour string) {
	fmt.Fprintf(c, `<circle cx="%s" cy="%s" r="3" fill="%s"/>`+"\n", px(x), px(y), colour)
}

// stroke is how a path is drawn: dash is an SVG dash array, "" for a solid line.
type stroke struct {
	colour string
	width  float64
	dash   string
}

// path is a line through points that may have gaps.
type path struct {
	bytes.Buffer
	drawing bool
}

func (p *path) to(x, y float64) {
	if p.drawing {
		p.WriteString("L" + px(x) + " " + px(y))
		return
	}
	p.drawing = true
	p.WriteString("M" + px(x) + " " + px(y) + "h0") // h0: with round caps a point between two gaps is a dot
}

func (p *path) gap() { p.drawing = false }

func (c *canvas) draw(p *path, s stroke) {
	if p.Len() == 0 {
		return
	}
	dash := ""
	if s.dash != "" {
		dash = ` stroke-dasharray="` + s.dash + `"`
	}
	fmt.Fprintf(c, `<path d="%s" fill="none" stroke="%s" stroke-width="%s" stroke-linejoin="round" stroke-linecap="round"%s/>`+"\n",
		p.Bytes(), s.colour, px(s.width), dash)
}

// px writes a coordinate with at most one decimal: finer is not seen.
func px(v float64) string {
	s := strconv.FormatFloat(v, 'f', 1, 64)
	if n := len(s) - 2; s[n:] == ".0" {
		s = s[:n]
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// escape makes any string safe as XML text.
func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a Buffer never fails
	return b.String()
}
