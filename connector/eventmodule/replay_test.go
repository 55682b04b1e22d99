package eventmodule

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The exchanges under testdata/transcripts were recorded on an Odoo 17.0
// Community with event, event_sale and website_event. They are sent again,
// record ids translated to ours, and the answers compared value by value.

// notCarried are fields and members of other apps, dropped from both sides.
var notCarried = map[string]bool{
	"credit_limit": true, "image_128": true, "date": true, // res.partner: account, images, removed in 18
	"product_id": true, "price_reduce": true, // event_sale
	"sale_order_id": true, "sale_order_line_id": true, "sale_status": true, "sale_status_value": true, "has_to_pay": true,
	"is_published": true, "website_published": true, "website_url": true, // website_event
	"question_ids": true, "registration_answers": true,
}

// differences are the answers that differ on purpose: the whole answer, or one
// member of it.
var differences = map[string]struct{ member, why string }{
	"rpc/011_db_list":       {"", "only the own database is listed"},
	"event/002_event_read":  {"description", "a new event starts without Odoo's sample text"},
	"event/006_ticket_read": {"price", "without event_sale's product a ticket costs 0.0 until it is priced"},
}

// TestReplay plays each group on a server of its own.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"desk", "event", "extra", "rpc"} {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			p := start(t, func(o *Options) {
				o.Clock = func() time.Time { return time.Date(2026, 11, 21, 21, 33, 56, 400_000_000, time.UTC) }
			})
			r := &replay{peer: p, ids: map[string]map[int64]int64{}, texts: map[string]string{}}
			r.furnish(group)
			files, err := filepath.Glob("testdata/transcripts/" + group + "/*.req.xml")
			if err != nil || len(files) == 0 {
				t.Fatalf("no transcripts of %s: %v", group, err)
			}
			for _, file := range files {
				r.play(t, group, file)
			}
		})
	}
}

// replay translates between the recorded ids and texts and ours.
type replay struct {
	*peer
	ids   map[string]map[int64]int64 // by model: recorded to ours
	texts map[string]string
}

func (r *replay) learn(model string, recorded, ours int64) {
	if r.ids[model] == nil {
		r.ids[model] = map[int64]int64{}
	}
	r.ids[model][recorded] = ours
}

// furnish lays the rows that stood there before the recording.
func (r *replay) furnish(group string) {
	r.learn("res.country", 57, 3)
	switch group {
	case "rpc":
		r.learn("res.partner", 7, r.create("res.partner", object{{"name", "Ada Lovelace"}}))
	case "event":
		r.learn("event.event", 7, r.event("Other", 0))
	case "extra":
		r.learn("event.event", 17, r.create("event.event", object{
			{"name", "wd nomail"}, {"date_begin", "2027-05-01 08:00:00"}, {"date_end", "2027-07-01 08:00:00"},
		}))
		r.learn("res.partner", 20, r.create("res.partner", object{{"name", "  spaced  "}, {"email", "  Sp@Example.ORG "}}))
		id := r.ids["event.event"][17]
		for i, name := range []string{"slow0", "slow1", "slow2", "slow3", "quick", "slow0", "slow1", "slow2", "slow3", "quick"} {
			recorded := []int64{6398, 6399, 6400, 6401, 6402, 6404, 6405, 6406, 6407, 6408}[i]
			r.learn("event.registration", recorded, r.create("event.registration", object{{"event_id", id}, {"name", name}}))
		}
	case "desk":
		r.learn("event.event", 1, r.event("no dates", 0))
		r.learn("event.event", 10, r.event("x", 0))
		r.learn("event.registration", 31, r.create("event.registration", object{{"event_id", r.ids["event.event"][10]}}))
	}
}

func (r *replay) play(t *testing.T, group, file string) {
	name := group + "/" + strings.TrimSuffix(filepath.Base(file), ".req.xml")
	request, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	response, err := os.ReadFile(strings.TrimSuffix(file, ".req.xml") + ".resp.xml")
	if err != nil {
		t.Fatal(err)
	}
	line, body, _ := bytes.Cut(request, []byte("\n"))
	path := strings.TrimPrefix(string(line), "POST ")
	_, recorded, _ := bytes.Cut(response, []byte("\n\n"))
	want, wantErr := decodeResponse(bytes.NewReader(recorded))
	model, sent := r.translate(t, body, group)
	got, gotErr := r.post(path, sent)
	if wantErr == nil && gotErr == nil {
		r.absorb(model, want, got)
	}
	if d, differs := differences[name]; differs {
		if d.member == "" {
			return
		}
		for _, rows := range []any{want, got} {
			for _, row := range rows.([]any) {
				delete(row.(map[string]any), d.member)
			}
		}
	}
	if d := cmp.Diff(faultLine(wantErr), faultLine(gotErr)); d != "" {
		t.Errorf("%s: fault differs (-want +got):\n%s%v", name, d, gotErr)
		return
	}
	if d := cmp.Diff(r.normal(want, true), r.normal(got, false)); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

// translate rewrites a recorded call for our ids, database and user.
func (r *replay) translate(t *testing.T, body []byte, group string) (model string, sent []byte) {
	method, params, err := decodeCall(bytes.NewReader(body))
	if err != nil || len(params) < 6 || method != "execute_kw" {
		return "", body
	}
	if group == "desk" {
		params[1], params[2] = r.srv.byLogin["desk"].id, "desk"
	}
	model, _ = params[3].(string)
	m := r.srv.models.byName[model]
	args, _ := params[5].([]any)
	call, _ := params[4].(string)
	if m != nil {
		for i, arg := range args {
			switch spec, ok := m.methods[call]; {
			case ok && call == "register_attendee":
				args[0], args[1] = r.values(m, args[0]), r.id("event.event", args[1])
			case i == 0 && (ok && spec.ids || commonMethods[call].ids):
				args[i] = r.id(model, arg)
			case strings.Contains(call, "search") || call == "read_group":
				args[i] = r.domain(m, arg)
			case call == "load":
				args[i] = r.id("event.event", arg) // the only ids loaded are events'
			default:
				args[i] = r.values(m, arg)
			}
		}
		if len(params) > 6 {
			if kwargs, ok := params[6].(map[string]any); ok && kwargs["domain"] != nil {
				kwargs["domain"] = r.domain(m, kwargs["domain"])
			}
		}
	}
	b := []byte("<?xml version='1.0'?>\n<methodCall><methodName>" + method + "</methodName><params>")
	for _, v := range params {
		b = append(b, "<param>"...)
		b = appendRequest(b, v)
		b = append(b, "</param>"...)
	}
	return model, append(b, "</params></methodCall>"...)
}

// appendRequest is appendValue with the types only requests carry.
func appendRequest(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "<value><nil/></value>"...)
	case wireTime:
		return append(b, "<value><dateTime.iso8601>"+string(v)+"</dateTime.iso8601></value>"...)
	case []any:
		b = append(b, "<value><array><data>"...)
		for _, e := range v {
			b = appendRequest(b, e)
		}
		return append(b, "</data></array></value>"...)
	case map[string]any:
		b = append(b, "<value><struct>"...)
		for name, e := range v {
			b = appendText(append(b, "<member><name>"...), name)
			b = append(appendRequest(append(b, "</name>"...), e), "</member>"...)
		}
		return append(b, "</struct></value>"...)
	}
	b, err := appendValue(b, v)
	if err != nil {
		panic(err)
	}
	return b
}

func (r *replay) id(model string, v any) any {
	switch v := v.(type) {
	case int64:
		if ours, ok := r.ids[model][v]; ok {
			return ours
		}
	case string:
		var n int64
		if _, err := fmt.Sscan(v, &n); err == nil && r.ids[model][n] != 0 {
			return fmt.Sprint(r.ids[model][n])
		}
	case []any:
		for i := range v {
			v[i] = r.id(model, v[i])
		}
	}
	return v
}

// values translates the references in a dictionary, or in a list of them, and
// drops names of fields to read that are not carried.
func (r *replay) values(m *model, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			if f := m.field(name); f != nil && f.comodel != "" {
				v[name] = r.id(f.comodel, e)
			}
			if s, ok := e.(string); ok && r.texts[s] != "" {
				v[name] = r.texts[s]
			}
		}
	case []any:
		v = slices.DeleteFunc(v, func(e any) bool { s, ok := e.(string); return ok && notCarried[s] })
		for i := range v {
			v[i] = r.values(m, v[i])
		}
		return v
	case string:
		if r.texts[v] != "" {
			return r.texts[v]
		}
	}
	return v
}

func (r *replay) domain(m *model, v any) any {
	terms, ok := v.([]any)
	if !ok {
		return v
	}
	for _, term := range terms {
		if leaf, ok := term.([]any); ok && len(leaf) == 3 {
			name, _ := leaf[0].(string)
			if name == "id" {
				leaf[2] = r.id(m.name, leaf[2])
			} else if f := m.field(name); f != nil && f.comodel != "" {
				leaf[2] = r.id(f.comodel, leaf[2])
			}
		}
	}
	return terms
}

// absorb learns ids and barcodes from a pair of answers.
func (r *replay) absorb(model string, want, got any) {
	switch w := want.(type) {
	case int64:
		if g, ok := got.(int64); ok && model != "" {
			r.learn(model, w, g)
		}
	case []any:
		g, _ := got.([]any)
		for i := range min(len(w), len(g)) {
			r.absorb(model, w[i], g[i])
		}
	case map[string]any:
		g, _ := got.(map[string]any)
		if a, ok := w["barcode"].(string); ok {
			r.texts[a], _ = g["barcode"].(string)
		}
		if ids, ok := w["ids"].([]any); ok {
			r.absorb(model, ids, g["ids"])
		}
	}
}

var instantForm = regexp.MustCompile(`^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d$`)

// normal makes answers comparable: ids become ours, moments of the recording
// become equal, what is not carried goes.
func (r *replay) normal(v any, recorded bool) any {
	switch v := v.(type) {
	case int64:
		if recorded {
			for _, ids := range r.ids {
				if ours, ok := ids[v]; ok {
					return ours
				}
			}
		}
		return v
	case string:
		if recorded && r.texts[v] != "" {
			return r.texts[v]
		}
		if instantForm.MatchString(v) && strings.HasPrefix(v, "2026-11-21 2") {
			return "now"
		}
		return v
	case []any:
		if slices.ContainsFunc(v, func(e any) bool { _, ok := e.(int64); return !ok }) || len(v) == 0 {
			out := make([]any, len(v))
			for i := range v {
				out[i] = r.normal(v[i], recorded)
			}
			return out
		}
		return fmt.Sprint(len(v), " ids")
	case map[string]any:
		out := map[string]any{}
		for name, e := range v {
			switch {
			case notCarried[name]:
			case name == "event_mail_ids" || name == "id" || name == "res_id":
				out[name] = fmt.Sprintf("%T", e) // this server makes no mail schedulers
			default:
				out[name] = r.normal(e, recorded)
			}
		}
		return out
	}
	return v
}

var digits = regexp.MustCompile(`\d{2,}`)

// faultLine is what has to agree of a fault: the code and the cause, without
// ids, ports, parser positions and groups of other apps.
func faultLine(err error) string {
	if err == nil {
		return ""
	}
	f, ok := faultOf(err)
	if !ok {
		return err.Error()
	}
	text := f.text
	if f.code == codeApplication {
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			if (line == "  [frames left out]" || strings.HasPrefix(line, "  File ")) && i+1 < len(lines) {
				text = lines[i+1]
			}
		}
		if strings.Contains(text, "ExpatError") {
			text = "ExpatError"
		}
	}
	text = strings.ReplaceAll(text, "\n\t- Sales/Administrator", "")
	return fmt.Sprintf("%d %s: %s", f.code, f.class, digits.ReplaceAllString(text, "N"))
}
