package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Row is one expected row. A key that is absent is not decided.
type Row = map[string]any

// File collects what one library prints and the rows to be made of it.
type File struct {
	name   string
	buf    bytes.Buffer
	rows   []Row
	stamp  func(record string) (ns int64, source string)
	silent []string
}

func (f *File) Write(p []byte) (int, error) { return f.buf.Write(p) }

// Rec runs one call of the library; fill adds to the row what has to be read from the printed record.
func (f *File) Rec(row Row, call func(), fill ...func(record string, row Row)) {
	from := f.buf.Len()
	call()
	rec := string(f.buf.Bytes()[from:])
	f.add(rec, row, fill...)
}

func (f *File) add(rec string, row Row, fill ...func(string, Row)) {
	if rec == "" {
		f.silent = append(f.silent, fmt.Sprint(row["body"]))
		return
	}
	row["lines"] = strings.Count(rec, "\n")
	if !strings.HasSuffix(rec, "\n") {
		row["lines"] = strings.Count(rec, "\n") + 1
	}
	if f.stamp == nil {
		row["time_source"] = "observed"
	} else if _, ok := row["time_source"]; !ok {
		ns, source := f.stamp(rec)
		row["time_ns"], row["time_source"] = ns, source
	}
	for _, fn := range fill {
		fn(rec, row)
	}
	f.rows = append(f.rows, row)
}

func (f *File) save(out string) {
	must(os.WriteFile(filepath.Join(out, f.name+".log"), f.buf.Bytes(), 0o644))
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	must(e.Encode(f.rows))
	must(os.WriteFile(filepath.Join(out, f.name+".expected.json"), b.Bytes(), 0o644))
	for _, s := range f.silent {
		fmt.Fprintf(os.Stderr, "%s: printed nothing for %q\n", f.name, s)
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// layout finds the stamp with re (first group) and reads it with Go's own layout.
func layout(re, lay, source string) func(string) (int64, string) {
	r := regexp.MustCompile(re)
	return func(rec string) (int64, string) {
		m := r.FindStringSubmatch(rec)
		if m == nil {
			panic("no stamp in " + rec)
		}
		t, err := time.Parse(lay, m[1])
		must(err)
		if t.Year() == 0 {
			t = t.AddDate(time.Now().UTC().Year(), 0, 0)
		}
		return t.UnixNano(), source
	}
}

// layoutLast is layout for a format whose own stamp is the last one of the line.
func layoutLast(re, lay, source string) func(string) (int64, string) {
	r := regexp.MustCompile(re)
	return func(rec string) (int64, string) {
		m := r.FindAllStringSubmatch(rec, -1)
		t, err := time.Parse(lay, m[len(m)-1][1])
		must(err)
		return t.UnixNano(), source
	}
}

// unixFloat reads Unix seconds with a fraction, digit by digit.
func unixFloat(re string) func(string) (int64, string) {
	r := regexp.MustCompile(re)
	return func(rec string) (int64, string) {
		whole, frac, _ := strings.Cut(r.FindStringSubmatch(rec)[1], ".")
		ns, err := strconv.ParseInt(whole+(frac + "000000000")[:9], 10, 64)
		must(err)
		return ns, "record"
	}
}

// attr is a map of expected attributes from pairs; nil stays null.
func attr(kv ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i].(string)] = kv[i+1]
	}
	return m
}

// row makes a row from its level token, level number, body and attributes.
// number 0: the rules do not decide. body "-": not decided.
func row(text string, number int, body string, kv ...any) Row {
	r := Row{"severity_text": text}
	if text == "" {
		r["severity_text"], r["severity_number"] = nil, nil
	} else if number != 0 {
		r["severity_number"] = number
	}
	if body != "-" {
		r["body"] = body
	}
	if len(kv) > 0 {
		r["attributes"] = attr(kv...)
	}
	return r
}

func with(r Row, kv ...any) Row {
	for i := 0; i < len(kv); i += 2 {
		r[kv[i].(string)] = kv[i+1]
	}
	return r
}

// stackKey takes the stack trace out of a JSON record.
func stackKey(key string) func(string, Row) {
	return func(rec string, r Row) {
		var v map[string]any
		must(json.Unmarshal([]byte(rec), &v))
		r["exception_stacktrace"] = v[key].(string)
	}
}

// stackBelow takes the lines below the first as the stack trace.
func stackBelow(rec string, r Row) {
	_, rest, _ := strings.Cut(strings.TrimSuffix(rec, "\n"), "\n")
	r["exception_stacktrace"] = rest
}
