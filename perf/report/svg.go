package report

import (
	"fmt"
	"io"
	"math"
	"time"
	"unicode/utf8"

	"holdfast/perf/hist"
)

// The page, in pixels.
const (
	pageWidth   = 960.0
	marginLeft  = 84.0
	marginRight = 28.0
	panelGap    = 76.0 // between panels: axis names, axis label, the next panel's heading
	lineHeight  = 18.0
	glyphWidth  = 6.7 // of the average letter at font size 12, to place legend entries
)

// panel is one plot: where it stands and its axes.
type panel struct {
	top, height float64
	x, y        axis
}

func (p *panel) px(v float64) float64 {
	return marginLeft + p.x.place(v)*(pageWidth-marginLeft-marginRight)
}

func (p *panel) py(v float64) float64 { return p.top + p.height - p.y.place(v)*p.height }

// WriteSVG writes the plots: latency by percentile, and latency and rate over time.
func (r *Report) WriteSVG(w io.Writer) error {
	var body canvas
	top := r.heading(&body)
	byPercentile := panel{top: top, height: 300}
	latency := panel{top: top + 300 + panelGap, height: 200}
	rate := panel{top: latency.top + 200 + panelGap, height: 140}
	r.percentilePlot(&body, byPercentile)
	r.latencyPlot(&body, latency)
	r.ratePlot(&body, rate)

	var page canvas
	page.open(pageWidth, rate.top+rate.height+56, r.Title)
	page.Write(body.Bytes())
	page.close()
	_, err := page.WriteTo(w)
	return err
}

// heading writes title, facts and legend and returns where the first panel begins.
func (r *Report) heading(c *canvas) float64 {
	y := 34.0
	c.text(marginLeft, y, r.Title, `font-size="19" font-weight="600"`)
	for _, f := range r.Facts {
		y += lineHeight
		c.text(marginLeft, y, f.Name+": "+f.Value, `fill="`+faint+`"`)
	}
	y += lineHeight + 10
	x := marginLeft
	for i := range r.Series {
		name := r.Series[i].Name
		width := 34 + glyphWidth*float64(utf8.RuneCountInString(name)) + 22
		if x+width > pageWidth-marginRight && x > marginLeft {
			x, y = marginLeft, y+lineHeight
		}
		var key path
		key.to(x, y-4)
		key.to(x+26, y-4)
		c.draw(&key, stroke{colour: colour(i), width: 3})
		c.text(x+34, y, name, "")
		x += width
	}
	return y + 46
}

func colour(series int) string { return palette[series%len(palette)] }

// frame draws the panel's grid, axis names and heading.
func (p *panel) frame(c *canvas, heading, note string) {
	left, right, bottom := marginLeft, pageWidth-marginRight, p.top+p.height
	for _, t := range p.y.ticks {
		y := p.py(t.at)
		c.line(left, y, right, y, grid)
		if t.name != "" {
			c.text(left-8, y+4, t.name, `text-anchor="end"`)
		}
	}
	for _, t := range p.x.ticks {
		x := p.px(t.at)
		c.line(x, p.top, x, bottom, grid)
		c.text(x, bottom+17, t.name, `text-anchor="middle"`)
	}
	c.line(left, bottom, right, bottom, frame)
	c.line(left, p.top, left, bottom, frame)
	c.text((left+right)/2, bottom+36, p.x.label, `text-anchor="middle" fill="`+faint+`"`)
	c.text(left, p.top-11, heading, `font-size="14" font-weight="600"`)
	c.text(0, 0, p.y.label, fmt.Sprintf(`text-anchor="middle" fill="%s" transform="translate(18 %s) rotate(-90)"`,
		faint, px(p.top+p.height/2)))
	if note != "" {
		c.text(right, p.top-11, note, `text-anchor="end" fill="`+faint+`"`)
	}
}

// span is the range of the positive values it was shown; ok only after the first.
type span struct {
	low, high float64
	ok        bool
}

func (s *span) add(d time.Duration) {
	v := float64(d)
	if !s.ok {
		s.low, s.high, s.ok = v, v, true
	}
	s.low, s.high = min(s.low, v), max(s.high, v)
}

func (r *Report) percentilePlot(c *canvas, p panel) {
	var values span
	count := int64(0)
	for i := range r.Series {
		l := &r.Series[i].Latency
		count = max(count, l.Count)
		for _, q := range l.Curve {
			values.add(q.Value)
		}
	}
	p.x, p.y = percentileAxis(count), latencyAxis(values.low, values.high)
	p.frame(c, "Latency by percentile", "the dot is the slowest request")
	for i := range r.Series {
		l := &r.Series[i].Latency
		if l.Count == 0 {
			continue
		}
		// One in count samples is the maximum, so that is where the maximum stands.
		last := 1 - 1/float64(max(l.Count, 2))
		var line path
		for _, q := range l.Curve {
			line.to(p.px(min(q.Q, last)), p.py(float64(q.Value)))
		}
		c.draw(&line, stroke{colour: colour(i), width: 2})
		c.dot(p.px(last), p.py(float64(l.Max)), colour(i))
	}
}

func (r *Report) latencyPlot(c *canvas, p panel) {
	var values span
	for i := range r.Series {
		for _, pt := range r.Series[i].Latency.Points {
			if pt.Count > 0 {
				values.add(pt.P50)
				values.add(pt.Max)
			}
		}
	}
	p.x, p.y = timeAxis(r.elapsed()), latencyAxis(values.low, values.high)
	p.frame(c, "Latency over time", "solid p99 · dashed p50 · dotted maximum")
	for i := range r.Series {
		l := &r.Series[i].Latency
		plot := func(s stroke, value func(hist.Point) time.Duration) {
			var line path
			for _, pt := range l.Points {
				if pt.Count == 0 || perSecond(pt, l) < 0 {
					line.gap()
					continue
				}
				line.to(p.px(float64(pt.At+length(pt, l)/2)), p.py(float64(value(pt))))
			}
			c.draw(&line, s)
		}
		plot(stroke{colour(i), 1, "0.5 4"}, func(pt hist.Point) time.Duration { return pt.Max })
		plot(stroke{colour(i), 1.5, "6 4"}, func(pt hist.Point) time.Duration { return pt.P50 })
		plot(stroke{colour(i), 2, ""}, func(pt hist.Point) time.Duration { return pt.P99 })
	}
}

func (r *Report) ratePlot(c *canvas, p panel) {
	highest := 0.0
	for i := range r.Series {
		l := &r.Series[i].Latency
		for _, pt := range l.Points {
			highest = max(highest, perSecond(pt, l))
		}
	}
	p.x = timeAxis(r.elapsed())
	p.y = linearAxis(max(highest*1.1, 1), 1, 5, "answers / s")
	p.frame(c, "Rate over time", "answers per second, mean of each interval")
	for i := range r.Series {
		l := &r.Series[i].Latency
		var line path
		for _, pt := range l.Points {
			if v := perSecond(pt, l); v >= 0 {
				line.to(p.px(float64(pt.At)), p.py(v)) // a step: it is a mean over the interval
				line.to(p.px(float64(pt.At+length(pt, l))), p.py(v))
			}
		}
		c.draw(&line, stroke{colour: colour(i), width: 2})
	}
}

// elapsed is how long the longest series took.
func (r *Report) elapsed() (d time.Duration) {
	for i := range r.Series {
		d = max(d, r.Series[i].Latency.Elapsed)
	}
	return d
}

// length is how much of its interval a point covers: the run may have ended in it.
func length(pt hist.Point, l *hist.Summary) time.Duration {
	if rest := l.Elapsed - pt.At; rest > 0 {
		return min(l.Interval, rest)
	}
	return l.Interval
}

// perSecond is a point's rate, or -1 at the end of a run if too little of the interval is left to tell.
func perSecond(pt hist.Point, l *hist.Summary) float64 {
	d := length(pt, l)
	if d < l.Interval/4 && pt.At > 0 {
		return -1
	}
	return math.Round(float64(pt.Count)/d.Seconds()*10) / 10
}
