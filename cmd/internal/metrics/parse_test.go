package metrics

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// parsed is one family as a strict reader of the text format sees it.
type parsed struct {
	kind, help string
	samples    map[string]float64 // name{sorted as written} → value
	order      []string
}

var (
	validName  = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	validLabel = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// parseExposition is stricter than Prometheus: HELP and TYPE are required in this order, families stand in one place,
// no series occurs twice, counters end in _total, and histograms add up.
func parseExposition(text string) (map[string]*parsed, error) {
	families := map[string]*parsed{}
	var name string
	var now *parsed
	if !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("the last line does not end")
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		fail := func(format string, args ...any) error {
			return fmt.Errorf("line %d %q: %s", i+1, line, fmt.Sprintf(format, args...))
		}
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			var help string
			name, help, _ = strings.Cut(rest, " ")
			if !validName.MatchString(name) || families[name] != nil || help == "" {
				return nil, fail("bad, repeated or empty HELP")
			}
			now = &parsed{help: help, samples: map[string]float64{}}
			families[name] = now
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			typed, kind, _ := strings.Cut(rest, " ")
			if typed != name || now.kind != "" || !regexp.MustCompile(`^(counter|gauge|histogram)$`).MatchString(kind) {
				return nil, fail("TYPE out of place or unknown")
			}
			now.kind = kind
			continue
		}
		if now == nil || now.kind == "" {
			return nil, fail("sample before HELP and TYPE")
		}
		series, value, err := parseSample(line)
		if err != nil {
			return nil, fail("%v", err)
		}
		base, _, _ := strings.Cut(series, "{")
		suffix, ok := strings.CutPrefix(base, name)
		if !ok || suffix != "" && now.kind != "histogram" {
			return nil, fail("sample of another family")
		}
		if _, twice := now.samples[series]; twice {
			return nil, fail("series occurs twice")
		}
		now.samples[series] = value
		now.order = append(now.order, series)
	}
	for name, family := range families {
		if err := family.check(name); err != nil {
			return nil, err
		}
	}
	return families, nil
}

// parseSample reads `name{label="value",…} number` byte by byte, undoing the escapes of label values.
func parseSample(line string) (series string, value float64, err error) {
	end := strings.IndexAny(line, "{ ")
	if end < 0 || !validName.MatchString(line[:end]) {
		return "", 0, fmt.Errorf("bad name")
	}
	series, rest := line[:end], line[end:]
	if rest[0] == '{' {
		series += "{"
		for rest[0] != '}' {
			label, after, ok := strings.Cut(rest[1:], `="`)
			if !ok || !validLabel.MatchString(label) {
				return "", 0, fmt.Errorf("bad label %q", label)
			}
			text, left, err := unescape(after)
			if err != nil || left == "" || left[0] != ',' && left[0] != '}' {
				return "", 0, fmt.Errorf("bad value of %s: %w", label, err)
			}
			series += label + "=" + strconv.Quote(text) + left[:1]
			rest = left
		}
		rest = rest[1:]
	}
	number, ok := strings.CutPrefix(rest, " ")
	if !ok || strings.Contains(number, " ") {
		return "", 0, fmt.Errorf("bad spacing")
	}
	value, err = strconv.ParseFloat(number, 64)
	return series, value, err
}

func unescape(s string) (text, left string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			i++
			if i == len(s) {
				return "", "", fmt.Errorf("escape at the end")
			}
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case '\\', '"':
				b.WriteByte(s[i])
			default:
				return "", "", fmt.Errorf("unknown escape %q", s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", fmt.Errorf("no closing quote")
}

func (p *parsed) check(name string) error {
	switch p.kind {
	case "counter":
		for series, v := range p.samples {
			if !strings.HasSuffix(name, "_total") || v < 0 {
				return fmt.Errorf("%s is a counter: it ends in _total and is not negative", series)
			}
		}
	case "histogram":
		return p.checkBuckets(name)
	}
	return nil
}

var bucketBound = regexp.MustCompile(`,?le="([^"]*)"`)

// checkBuckets wants ascending bounds, cumulative counts, and +Inf equal to _count, for every set of labels.
func (p *parsed) checkBuckets(name string) error {
	bound, count := map[string]float64{}, map[string]float64{}
	for _, series := range p.order {
		rest, ok := strings.CutPrefix(series, name+"_bucket")
		if !ok {
			continue
		}
		m := bucketBound.FindStringSubmatch(rest)
		if m == nil {
			return fmt.Errorf("%s has no le", series)
		}
		le, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return err
		}
		set := strings.TrimSuffix(strings.Replace(rest, m[0], "", 1), "{}")
		if last, seen := bound[set]; seen && le <= last || p.samples[series] < count[set] {
			return fmt.Errorf("%s: bounds and counts must ascend", series)
		}
		bound[set], count[set] = le, p.samples[series]
	}
	for set, le := range bound {
		total, ok := p.samples[name+"_count"+set]
		_, sum := p.samples[name+"_sum"+set]
		if !ok || !sum || le <= 1e300 || total != count[set] {
			return fmt.Errorf("%s%s: +Inf, _count and _sum must be there and agree", name, set)
		}
	}
	return nil
}

func TestTheStrictParserIsStrict(t *testing.T) {
	const head = "# HELP a_total x\n# TYPE a_total counter\n"
	const hist = "# HELP h x\n# TYPE h histogram\n"
	f := func(text string, good bool) {
		t.Helper()
		if _, err := parseExposition(text); (err == nil) != good {
			t.Errorf("%q: error %v", text, err)
		}
	}
	f(head+"a_total 1\n", true)
	f(head+"a_total{b=\"c\"} 1\na_total{b=\"d\"} 1\n", true)
	f(hist+"h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n", true)
	f(head+"a_total 1", false)
	f("a_total 1\n", false)
	f(head+"a_total -1\n", false)
	f(head+"a_total 1\na_total 1\n", false)
	f(head+"b_total 1\n", false)
	f(head+"a_total  1\n", false)
	f(head+"a_total x\n", false)
	f(head+"a_total{b=c} 1\n", false)
	f(head+"a_total{b=\"\\c\"} 1\n", false)
	f(head+"a_total{b=\"c} 1\n", false)
	f(head+head, false)
	f("# HELP a x\n# TYPE a counter\na 1\n", false)
	f("# HELP a x\n# TYPE a rate\na 1\n", false)
	f(hist+"h_bucket{le=\"1\"} 1\nh_sum 3\nh_count 1\n", false)
	f(hist+"h_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n", false)
	f(hist+"h_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 3\n", false)
	f(hist+"h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n", false)
}
