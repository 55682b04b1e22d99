package connector

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kolo/xmlrpc"
)

func TestSignInOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.answer("event.event.search_count", 4)
	c := f.client()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if n, err := c.SearchCount(t.Context(), ModelEvent, nil); n != 4 || err != nil {
				t.Errorf("count %d, %v", n, err)
			}
		})
	}
	wg.Wait()
	if n := f.count("authenticate"); n != 1 {
		t.Errorf("signed in %d times", n)
	}
	if body := f.last("event.event.search_count"); !strings.Contains(body, "<name>lang</name><value><string>fr_BE</string>") || !strings.Contains(body, "<name>active_test</name><value><boolean>0</boolean>") {
		t.Errorf("the context lacks language or archived rows:\n%s", body)
	}
}

func TestSignInRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		script func(*fake)
		code   string
		kind   Kind
	}{
		{"database", func(f *fake) {
			f.fault("authenticate", 1, trace("psycopg2.OperationalError: FATAL:  database \"commune\" does not exist"))
		}, CodeDatabase, KindDenied},
		{"no odoo", func(f *fake) { f.handle("version", status(200)) }, CodeNotOdoo, KindProtocol},
		{"odd uid", func(f *fake) { f.answer("authenticate", "2") }, CodeValue, KindProtocol},
		{"password", func(f *fake) { f.answer("authenticate", false) }, CodePassword, KindDenied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			tt.script(f)
			_, err := f.client().EventIDs(t.Context())
			wantFault(t, err, tt.kind, tt.code, false)
		})
	}
}

func TestSessionRenewed(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	denied := func(w http.ResponseWriter, _ *http.Request) { writeXML(w, faultDocument(3, "Access Denied")) }
	f.sequence("event.registration.write", denied, func(w http.ResponseWriter, _ *http.Request) { writeXML(w, document(true)) })
	c := f.client()
	if err := c.Write(t.Context(), ModelRegistration, []int64{1}, map[string]any{"state": "open"}); err != nil {
		t.Fatal(err)
	}
	if n := f.count("authenticate"); n != 2 {
		t.Errorf("signed in %d times, want 2", n)
	}
	f.handle("event.registration.write", denied)
	err := c.Write(t.Context(), ModelRegistration, []int64{1}, map[string]any{"state": "open"})
	wantFault(t, err, KindDenied, CodeSession, false)
	if n := f.count("authenticate"); n != 3 {
		t.Errorf("signed in %d times, want 3: once more, not for ever", n)
	}
}

func TestNoneIsSuccess(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.fault("event.registration.action_confirm", 1, trace("TypeError: cannot marshal None unless allow_none is enabled"))
	v, err := f.client().Execute(t.Context(), ModelRegistration, "action_confirm", []any{[]int64{1}}, nil)
	if v != nil || err != nil {
		t.Errorf("got %v, %v; the change is committed", v, err)
	}
}

func TestUnsendableIsNotSent(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	err := f.client().Write(t.Context(), ModelRegistration, []int64{1 << 33}, map[string]any{"name": "x"})
	if err == nil || !strings.Contains(err.Error(), "32 bits") || Ambiguous(err) {
		t.Errorf("error %v", err)
	}
}

// tagRow is a row of event.tag as Odoo sends it.
func tagRow(id int) map[string]any {
	return map[string]any{
		"id": id, "name": fmt.Sprint("Tag ", id), "category_id": []any{1, "Âge"}, "sequence": id, "color": 0,
		"write_date": "2026-03-01 10:00:00",
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.fields(ModelTag, tagModel.fields...)
	rows := func(ids ...int) http.HandlerFunc {
		list := make([]any, len(ids))
		for i, id := range ids {
			list[i] = tagRow(id)
		}
		return func(w http.ResponseWriter, _ *http.Request) { writeXML(w, document(list)) }
	}
	f.sequence("event.tag.search_read", rows(2, 3), rows(5, 9), rows(11))
	c := f.client(func(c *Config) { c.PageSize = 2 })
	since := time.Date(2026, 2, 28, 12, 0, 0, 999, time.UTC)
	tags, err := c.TagsChanged(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for _, tag := range tags {
		ids = append(ids, tag.ID)
	}
	if diff := cmp.Diff([]int64{2, 3, 5, 9, 11}, ids); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	want := Tag{ID: 2, Name: "Tag 2", Category: Ref{1, "Âge"}, Sequence: 2, Written: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)}
	if diff := cmp.Diff(want, tags[0]); diff != "" {
		t.Errorf("tag (-want +got):\n%s", diff)
	}
	body := f.last("event.tag.search_read")
	for _, part := range []string{
		"<string>write_date</string></value><value><string>&gt;=</string></value><value><string>2026-02-28 12:00:00</string>",
		"<string>id</string></value><value><string>&gt;</string></value><value><int>9</int>",
		"<name>order</name><value><string>id</string>",
		"<name>limit</name><value><int>2</int>",
	} {
		if !strings.Contains(body, part) {
			t.Errorf("the last page is not asked by %s:\n%s", part, body)
		}
	}
	if n := f.count("event.tag.fields_get"); n != 1 {
		t.Errorf("fields were asked %d times", n)
	}
}

func TestPagesRefuseRubbish(t *testing.T) {
	t.Parallel()
	without := tagRow(2)
	delete(without, "color")
	wrong := tagRow(2)
	wrong["name"] = 7
	for _, tt := range []struct {
		name string
		v    any
		want string
	}{
		{"a dict", map[string]any{}, "rows of event.tag"},
		{"a row without an id", []any{map[string]any{"name": "x"}}, "no id"},
		{"a value of another type", []any{wrong}, "name of event.tag 2"},
		{"double rows", []any{tagRow(2), tagRow(2)}, "2 comes after 2"},
		{"false", false, "rows of event.tag"},
		{"lost members", []any{without}, "without color"},
		{"more rows than asked", []any{tagRow(2), tagRow(3), tagRow(4)}, "3 rows"},
		{"order ignored", []any{tagRow(3), tagRow(2)}, "2 comes after 3"},
		{"rows that are no dicts", []any{[]any{}}, "a record of event.tag"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.fields(ModelTag, tagModel.fields...)
			f.answer("event.tag.search_read", tt.v)
			_, err := f.client(func(c *Config) { c.PageSize = 2 }).TagsChanged(t.Context(), anyTime)
			wantFault(t, err, KindProtocol, CodeValue, false)
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestOnlyKnownFieldsAreAsked(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.fields(ModelTag, "name", "write_date", "not_asked_for")
	f.answer("event.tag.search_read", []any{map[string]any{"id": 1, "name": "x", "write_date": false}})
	tags, err := f.client().TagsChanged(t.Context(), anyTime)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Tag{{ID: 1, Name: "x"}}, tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if body := f.last("event.tag.search_read"); strings.Contains(body, "category_id") || strings.Contains(body, "not_asked_for") {
		t.Errorf("unknown fields are asked:\n%s", body)
	}
}

func TestFieldsAreLearntAgain(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.fields(ModelTag, "name", "color")
	f.sequence("event.tag.search_read",
		func(w http.ResponseWriter, _ *http.Request) {
			writeXML(w, faultDocument(1, trace("ValueError: Invalid field 'color' on model 'event.tag'")))
		},
		func(w http.ResponseWriter, _ *http.Request) { writeXML(w, document([]any{})) })
	c := f.client()
	_, err := c.TagsChanged(t.Context(), anyTime)
	wantFault(t, err, KindProtocol, CodeField, false)
	if _, err := c.TagsChanged(t.Context(), anyTime); err != nil {
		t.Fatal(err)
	}
	if n := f.count("event.tag.fields_get"); n != 2 {
		t.Errorf("fields were asked %d times, want again after an upgrade", n)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	first := make([]any, sweepPage)
	for i := range first {
		first[i] = i + 1
	}
	f.sequence("event.event.search",
		func(w http.ResponseWriter, _ *http.Request) { writeXML(w, document(first)) },
		func(w http.ResponseWriter, _ *http.Request) { writeXML(w, document([]any{9000})) })
	ids, err := f.client().EventIDs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != sweepPage+1 || ids[0] != 1 || ids[sweepPage] != 9000 {
		t.Errorf("%d ids", len(ids))
	}
	f.handle("event.event.search", func(w http.ResponseWriter, _ *http.Request) { writeXML(w, document([]any{3, 3})) })
	if _, err = f.client().EventIDs(t.Context()); KindOf(err) != KindProtocol {
		t.Errorf("repeated ids give %v", err)
	}
}

func TestChangesWithOddAnswersAreAmbiguous(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	c := f.client()
	f.answer("event.registration.write", 1)
	wantFault(t, c.Write(t.Context(), ModelRegistration, []int64{1}, map[string]any{}), KindProtocol, CodeValue, true)
	f.answer("event.registration.unlink", false)
	wantFault(t, c.Unlink(t.Context(), ModelRegistration, []int64{1}), KindProtocol, CodeValue, true)
	f.answer("event.registration.create", []any{1, 2})
	_, err := c.Create(t.Context(), ModelRegistration, map[string]any{})
	wantFault(t, err, KindProtocol, CodeValue, true)
	if err := c.Write(t.Context(), ModelRegistration, nil, nil); err != nil {
		t.Errorf("writing nothing: %v", err)
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	event := map[string]any{
		"id": 1, "kanban_state": "cancel", "stage_id": []any{5, "Annulé"}, "seats_reserved": 2, "seats_used": 1,
	}
	ticket := map[string]any{"id": 1, "start_sale_date": "2026-03-01", "end_sale_date": "2026-03-28"}
	later := map[string]any{"id": 1, "start_sale_datetime": "2026-03-01 08:00:00", "end_sale_datetime": false}
	day := func(s string) time.Time {
		v, err := time.Parse(instantLayout, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tt := range []struct {
		series     int
		ticket     map[string]any
		start, end time.Time
		cancelled  bool
		rights     string
	}{
		{14, ticket, day("2026-02-28 23:00:00"), day("2026-03-28 23:00:00"), false, "check_access_rights"},
		{16, later, day("2026-03-01 08:00:00"), time.Time{}, false, "check_access_rights"},
		{19, later, day("2026-03-01 08:00:00"), time.Time{}, true, "has_access"},
	} {
		t.Run(fmt.Sprint(tt.series), func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.answer("version", map[string]any{"server_version": fmt.Sprintf("%d.0", tt.series), "server_version_info": []any{tt.series}})
			f.fields(ModelEvent, "kanban_state", "stage_id", "seats_reserved", "seats_used")
			f.answer("event.event.search_read", []any{event})
			f.fields(ModelTicket, "start_sale_date", "end_sale_date")
			if tt.series > 14 {
				f.fields(ModelTicket, "start_sale_datetime", "end_sale_datetime")
			}
			f.answer("event.event.ticket.search_read", []any{tt.ticket})
			f.answer("event.event."+tt.rights, true)
			c := f.client()
			events, err := c.EventsChanged(t.Context(), anyTime)
			if err != nil {
				t.Fatal(err)
			}
			if e := events[0]; e.SeatsTaken != 3 || e.Cancelled(nil) != tt.cancelled || !e.Active || !e.Published {
				t.Errorf("event %+v", e)
			}
			if !events[0].Cancelled([]Stage{{ID: 4}, {ID: 5, Cancelled: true}}) {
				t.Error("an event in the cancelled stage is not cancelled")
			}
			tickets, err := c.TicketsChanged(t.Context(), anyTime)
			if err != nil {
				t.Fatal(err)
			}
			if g := tickets[0]; !g.SaleStart.Equal(tt.start) || !g.SaleEnd.Equal(tt.end) || g.Priced {
				t.Errorf("ticket %+v", g)
			}
			if ok, err := c.CheckAccess(t.Context(), ModelEvent, OpWrite); !ok || err != nil {
				t.Errorf("access %v, %v", ok, err)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	two := [][]string{{"ribambelle.reg_1", "Eva"}, {"ribambelle.reg_2", "Léo"}}
	tests := []struct {
		name     string
		answer   any
		ids      []int64
		messages []LoadMessage
		fault    bool
	}{
		{"all good", map[string]any{"ids": []any{8, 5}, "messages": []any{}, "nextrow": 0}, []int64{8, 5}, []LoadMessage{}, false},
		{"conflict", map[string]any{"ids": false, "messages": []any{
			map[string]any{"type": "error", "record": 1, "message": "could not serialize access due to concurrent update\n"},
		}}, nil, []LoadMessage{{Row: 1, Message: "could not serialize access due to concurrent update", Kind: KindConflict}}, false},
		{"fewer ids than rows", map[string]any{"ids": []any{8}, "messages": []any{}}, nil, []LoadMessage{}, true},
		{"ids beside an error", map[string]any{"ids": []any{8, 9}, "messages": []any{map[string]any{"type": "error", "message": "x"}}}, nil, []LoadMessage{{Row: -1, Message: "x", Kind: KindUser}}, true},
		{"no dict", false, nil, nil, true},
		{"refused without a reason", map[string]any{"ids": false, "messages": []any{}}, nil, []LoadMessage{}, true},
		{"refused", map[string]any{"ids": false, "messages": []any{
			map[string]any{"type": "error", "record": 0, "field": "state", "message": "Value 'x' not found", "rows": map[string]any{"from": 0, "to": 0}},
			map[string]any{"type": "warning", "message": "Found more than 10 errors", "record": 7},
		}}, nil, []LoadMessage{
			{Row: 0, Field: "state", Message: "Value 'x' not found", Kind: KindUser},
			{Row: -1, Message: "Found more than 10 errors", Kind: KindUser, Warning: true},
		}, false},
		{"with a warning", map[string]any{"ids": []any{8, 9}, "messages": []any{
			map[string]any{"type": "warning", "rows": map[string]any{"from": 1, "to": 1}, "message": "hm"},
		}}, []int64{8, 9}, []LoadMessage{{Row: 1, Message: "hm", Kind: KindUser, Warning: true}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.answer("event.registration.load", tt.answer)
			ids, messages, err := f.client().Load(t.Context(), ModelRegistration, []string{"id", "name"}, two)
			if tt.fault {
				wantFault(t, err, KindProtocol, CodeValue, true)
			} else if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.ids, ids); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.messages, messages); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			body := f.last("event.registration.load")
			for _, part := range []string{"tracking_disable", "mail_create_nolog", "mail_create_nosubscribe", "<name>tz</name><value><string>UTC</string>"} {
				if !strings.Contains(body, part) {
					t.Errorf("the context lacks %s", part)
				}
			}
		})
	}
}

func TestLoadRefusesDangerousRows(t *testing.T) {
	t.Parallel()
	c := newFake(t).client()
	for _, tt := range []struct {
		name   string
		fields []string
		rows   [][]string
	}{
		{"both ids", []string{"id", ".id"}, [][]string{{"a.b", "1"}}},
		{"empty id", []string{"id", "name"}, [][]string{{"", "x"}}},
		{"no column", []string{"id", "na me"}, [][]string{{"a.b", "x"}}},
		{"no id", []string{"name"}, [][]string{{"x"}}},
		{"short row", []string{"id", "name"}, [][]string{{"a.b"}}},
	} {
		if _, _, err := c.Load(t.Context(), ModelRegistration, tt.fields, tt.rows); err == nil {
			t.Errorf("%s is sent", tt.name)
		}
	}
	if ids, messages, err := c.Load(t.Context(), ModelRegistration, []string{"id"}, nil); ids != nil || messages != nil || err != nil {
		t.Error("no rows are no call")
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.answer("event.stage.get_metadata", []any{
		map[string]any{"id": 5, "xmlid": "event.event_stage_cancelled", "xmlids": []any{
			map[string]any{"xmlid": "event.event_stage_cancelled", "noupdate": true}, map[string]any{"xmlid": "ribambelle.s5", "noupdate": false},
		}},
		map[string]any{"id": 6, "xmlid": false, "xmlids": []any{}},
		map[string]any{"id": 7, "xmlid": "a.b"},
	})
	got, err := f.client().Metadata(t.Context(), ModelStage, []int64{5, 6, 7})
	if err != nil {
		t.Fatal(err)
	}
	want := []Metadata{{5, []string{"event.event_stage_cancelled", "ribambelle.s5"}}, {6, nil}, {7, []string{"a.b"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if !got[0].HasModule("ribambelle") || got[0].HasModule("ribam") || got[2].HasModule("ribambelle") {
		t.Error("modules are confused")
	}
}

// BenchmarkPage compares a page of registrations with the bare codec on the
// same bytes.
func BenchmarkPage(b *testing.B) {
	rows := make([]any, 500)
	for i := range rows {
		rows[i] = map[string]any{
			"id": i + 1, "event_id": []any{3, "Stage cirque"}, "event_ticket_id": []any{4, "Commune"}, "partner_id": false,
			"name": "Eva Dupont", "email": "eva@example.org", "phone": "+32475123456", "company_name": false, "state": "open",
			"active": true, "barcode": "123456789", "sale_status": "free", "sale_order_id": false, "date_closed": false,
			"create_date": "2026-03-01 10:00:00", "write_date": "2026-03-01 10:00:00", "write_uid": []any{2, "x"},
		}
	}
	body := []byte(document(rows))
	fields := map[string]Field{}
	for _, n := range registrationModel.fields {
		if n != "mobile" && n != "event_slot_id" {
			fields[n] = Field{}
		}
	}
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			var v any
			if err := xmlrpc.Response(body).Unmarshal(&v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("typed", func(b *testing.B) {
		for b.Loop() {
			v, err := decodeAnswer(body)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := convert(registrationModel, fields, profiles[3], v, func(int64) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}
