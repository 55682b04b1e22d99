package connector_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ribambelle/connector"
)

func TestContractPages(t *testing.T) {
	c, _ := contract(t)
	event := newEvent(t, c, nil)
	ids, _ := load(t, c, event, 8, "open")
	if err := c.Write(t.Context(), connector.ModelRegistration, ids[2:3], map[string]any{"state": "cancel"}); err != nil {
		t.Fatal(err)
	}
	fields, err := c.Fields(t.Context(), connector.ModelRegistration, "active")
	if err != nil {
		t.Fatal(err)
	}
	_, archives := fields["active"]
	if archives {
		if err := c.Write(t.Context(), connector.ModelRegistration, ids[4:5], map[string]any{"active": false}); err != nil {
			t.Fatal(err)
		}
	}
	regs, err := c.RegistrationsOf(t.Context(), []int64{event})
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, r := range regs {
		got = append(got, r.ID)
	}
	if !slices.Equal(got, ids) {
		t.Errorf("ids %v, want %v", got, ids)
	}
	if regs[2].State != "cancel" || regs[2].TakesSeat() || archives && (regs[4].Active || regs[4].TakesSeat()) || !regs[0].Active {
		t.Errorf("registrations %+v", regs)
	}
	since := slices.MinFunc(regs, func(a, b connector.Registration) int { return a.Written.Compare(b.Written) }).Written
	pages, seen := 0, 0
	for page, err := range c.RegistrationPages(t.Context(), since) {
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, r := range page {
			if slices.Contains(ids, r.ID) {
				seen++
			}
		}
	}
	if seen != 8 || pages < 3 {
		t.Errorf("%d of 8 rows in %d pages", seen, pages)
	}
	n, err := c.SearchCount(t.Context(), connector.ModelRegistration, []any{[]any{"event_id", "=", event}})
	if n != 8 || err != nil {
		t.Errorf("count %d, %v", n, err)
	}
	if none, err := c.RegistrationsChanged(t.Context(), time.Now().AddDate(1, 0, 0)); err != nil || len(none) != 0 {
		t.Errorf("rows from the future: %v, %v", none, err)
	}
}

func TestContractLoad(t *testing.T) {
	c, _ := contract(t)
	event := newEvent(t, c, nil)
	ids, xids := load(t, c, event, 3, "draft")
	columns := []string{"id", "name", "email", "phone", "event_id/.id", "state"}
	rows := func(name, state string) [][]string {
		var out [][]string
		for i, x := range xids {
			out = append(out, []string{x, fmt.Sprintf("%s %d", name, i), "", "+32 475 12 34 56", fmt.Sprint(event), state})
		}
		return out
	}
	again, messages, err := c.Load(t.Context(), connector.ModelRegistration, columns, rows("contract é <&>", "open"))
	if err != nil || len(messages) > 0 || !slices.Equal(again, ids) {
		t.Fatalf("repeating gives %v, want %v; %v, %v", again, ids, messages, err)
	}
	r := readOne(t, c, ids[1])
	if r.Name != "contract é <&> 1" || r.Email != "" || r.State != "open" || r.Phone == "" || r.Event.ID != event {
		t.Errorf("registration %+v", r)
	}
	metadata, err := c.Metadata(t.Context(), connector.ModelRegistration, ids)
	if err != nil || len(metadata) != 3 {
		t.Fatalf("metadata %v, %v", metadata, err)
	}
	for _, m := range metadata {
		if i := slices.Index(ids, m.ID); i < 0 || !m.Has(xids[i]) {
			t.Errorf("metadata %+v, want %v", m, xids)
		}
	}

	// Some columns of a known row.
	if got, messages, err := c.Load(t.Context(), connector.ModelRegistration, []string{"id", "state"}, [][]string{{xids[0], "cancel"}}); err != nil || len(messages) > 0 || !slices.Equal(got, ids[:1]) {
		t.Errorf("partial load %v, %v, %v", got, messages, err)
	}
	if r := readOne(t, c, ids[0]); r.State != "cancel" || r.Name != "contract é <&> 0" {
		t.Errorf("registration %+v", r)
	}

	// One bad row and nothing is changed.
	bad := rows("contract changed", "open")
	bad[1][5] = "no such state"
	bad[2][4] = "99999999"
	got, messages, err := c.Load(t.Context(), connector.ModelRegistration, columns, bad)
	if err != nil || got != nil {
		t.Fatalf("a bad batch gives %v, %v", got, err)
	}
	refused := map[int]bool{}
	for _, m := range messages {
		refused[m.Row] = refused[m.Row] || !m.Warning
		if m.Message == "" || m.Kind != connector.KindUser {
			t.Errorf("message %+v", m)
		}
	}
	if !refused[1] || !refused[2] || refused[0] {
		t.Errorf("refused %+v, want rows 1 and 2", messages)
	}
	if r := readOne(t, c, ids[0]); strings.Contains(r.Name, "changed") {
		t.Error("the good row of a refused batch was written")
	}

	// Adopted by its database id.
	byID, messages, err := c.Load(t.Context(), connector.ModelRegistration, []string{".id", "name"}, [][]string{{fmt.Sprint(ids[2]), "contract adopted"}})
	if err != nil || len(messages) > 0 || !slices.Equal(byID, ids[2:]) {
		t.Errorf("by database id %v, %v, %v", byID, messages, err)
	}
	if r := readOne(t, c, ids[2]); r.Name != "contract adopted" {
		t.Errorf("registration %+v", r)
	}
	unknown, messages, err := c.Load(t.Context(), connector.ModelRegistration, []string{".id", "name"}, [][]string{{"99999999", "contract none"}})
	if err != nil || unknown != nil || len(messages) == 0 {
		t.Errorf("an unknown database id gives %v, %v, %v", unknown, messages, err)
	}
	n, err := c.SearchCount(t.Context(), connector.ModelRegistration, []any{[]any{"event_id", "=", event}})
	if n != 3 || err != nil {
		t.Errorf("%d registrations, want 3; %v", n, err)
	}

	// Deleted and loaded again: a new record.
	if err := c.Unlink(t.Context(), connector.ModelRegistration, ids[:1]); err != nil {
		t.Fatal(err)
	}
	anew, messages, err := c.Load(t.Context(), connector.ModelRegistration, columns, rows("contract anew", "open")[:1])
	if err != nil || len(anew) != 1 || slices.Contains(ids, anew[0]) {
		t.Errorf("after deletion %v, %v, %v", anew, messages, err)
	}
}

// TestContractLoadMissing shows that a row whose required fields are missing is
// reported, not made.
func TestContractLoadMissing(t *testing.T) {
	c, _ := contract(t)
	ids, messages, err := c.Load(t.Context(), connector.ModelRegistration, []string{"id", "name"}, [][]string{{xmlID(), "contract nowhere"}})
	if err != nil || ids != nil || len(messages) == 0 {
		t.Errorf("loaded %v, %v, %v", ids, messages, err)
	}
}

func TestContractNoOverbooking(t *testing.T) {
	c, _ := contract(t)
	event := newEvent(t, c, map[string]any{"seats_limited": true, "seats_max": 2})
	draft, xids := load(t, c, event, 1, "draft")
	ids, _ := load(t, c, event, 2, "open")
	columns := []string{"id", "name", "event_id/.id", "state"}
	got, messages, err := c.Load(t.Context(), connector.ModelRegistration, columns, [][]string{{xmlID(), "contract third", fmt.Sprint(event), "open"}})
	p, perr := c.Profile(t.Context())
	if perr != nil {
		t.Fatal(perr)
	}
	if p.Series >= 17 && (err != nil || got != nil || len(messages) == 0 || messages[0].Kind != connector.KindUser) {
		t.Errorf("a third open seat of two: %v, %v, %v", got, messages, err)
	}
	got, messages, err = c.Load(t.Context(), connector.ModelRegistration, columns, [][]string{{xmlID(), "contract waiting", fmt.Sprint(event), "draft"}})
	if err != nil || (got == nil) != p.FullRefusesDrafts {
		t.Errorf("a draft for a full event: %v, %v, %v; the profile says refused: %v", got, messages, err, p.FullRefusesDrafts)
	}
	got, messages, err = c.Load(t.Context(), connector.ModelRegistration, []string{"id", "state"}, [][]string{{xids[0], "open"}})
	if err != nil || got != nil || len(messages) == 0 {
		t.Errorf("confirming a draft beyond the limit: %v, %v, %v", got, messages, err)
	}
	want(t, c.Write(t.Context(), connector.ModelRegistration, draft, map[string]any{"state": "open"}), connector.KindUser, "")
	if err := c.Write(t.Context(), connector.ModelRegistration, ids[:1], map[string]any{"state": "cancel"}); err != nil {
		t.Fatal(err)
	}
	events, err := c.Events(t.Context(), []int64{event})
	if err != nil || len(events) != 1 || p.Series >= 17 && (events[0].SeatsTaken != 1 || events[0].SeatsAvailable != 1) {
		t.Errorf("events %+v, %v", events, err)
	}
}

func TestContractFaults(t *testing.T) {
	c, _ := contract(t)
	event := newEvent(t, c, nil)
	ids, _ := load(t, c, event, 1, "draft")
	ctx := t.Context()

	// None is a committed success.
	v, err := c.Execute(ctx, connector.ModelRegistration, "action_cancel", []any{ids}, nil)
	if err != nil || v != nil && v != true {
		t.Errorf("action_cancel: %v, %v", v, err)
	}
	if r := readOne(t, c, ids[0]); r.State != "cancel" {
		t.Errorf("state %s after action_cancel", r.State)
	}

	want(t, c.Write(ctx, connector.ModelRegistration, []int64{99999999}, map[string]any{"name": "contract"}), connector.KindMissing, "")
	want(t, c.Unlink(ctx, connector.ModelRegistration, []int64{99999999}), connector.KindMissing, "")
	want(t, c.Write(ctx, connector.ModelRegistration, ids, map[string]any{"no_such_field": 1}), connector.KindProtocol, connector.CodeField)
	want(t, c.Write(ctx, connector.ModelRegistration, ids, map[string]any{"state": "bogus"}), connector.KindProtocol, connector.CodeServer)
	want(t, c.Write(ctx, connector.ModelEvent, []int64{event}, map[string]any{"date_end": begin.AddDate(0, 0, -1)}), connector.KindUser, "")
	want(t, c.Unlink(ctx, connector.ModelEvent, []int64{event}), connector.KindUser, "")
	_, err = c.Execute(ctx, connector.ModelEvent, "no_such_method", nil, nil)
	want(t, err, connector.KindProtocol, connector.CodeServer)
	_, err = c.Execute(ctx, connector.ModelEvent, "_compute_display_name", []any{[]int64{event}}, nil)
	want(t, err, connector.KindAccess, "")
	_, err = c.Execute(ctx, "no.such.model", "read", []any{[]int64{1}}, nil)
	want(t, err, connector.KindProtocol, connector.CodeModel)

	// All or none.
	_, err = c.CreateAll(ctx, connector.ModelRegistration, []map[string]any{
		{"event_id": event, "name": "contract one", "state": "draft"}, {"event_id": event, "name": "contract two", "state": "bogus"},
	})
	want(t, err, connector.KindProtocol, "")
	if n, err := c.SearchCount(ctx, connector.ModelRegistration, []any{[]any{"event_id", "=", event}}); n != 1 || err != nil {
		t.Errorf("%d registrations after a refused batch, %v", n, err)
	}
}

func TestContractValues(t *testing.T) {
	c, _ := contract(t)
	event := newEvent(t, c, nil)
	ids, err := c.CreateAll(t.Context(), connector.ModelRegistration, []map[string]any{
		{"event_id": event, "name": "contract  Ève & <Léo> 🎪 ", "state": "draft", "email": nil, "phone": nil},
		{"event_id": event, "name": "contract\ttab", "state": "done", "email": "eve@example.org"},
	})
	if err != nil {
		t.Fatal(err)
	}
	a, b := readOne(t, c, ids[0]), readOne(t, c, ids[1])
	if a.Name != "contract  Ève & <Léo> 🎪 " || a.Email != "" || a.Phone != "" || !a.Closed.IsZero() || !a.Ticket.IsZero() {
		t.Errorf("registration %+v", a)
	}
	if b.Name != "contract\ttab" || b.Email != "eve@example.org" || b.State != "done" || b.Closed.IsZero() || !b.TakesSeat() {
		t.Errorf("registration %+v", b)
	}
	p, err := c.Profile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id, err := c.Create(t.Context(), connector.ModelRegistration, map[string]any{"event_id": event, "name": "contract default"})
	if err != nil {
		t.Fatal(err)
	}
	if r := readOne(t, c, id); r.State != p.DefaultState {
		t.Errorf("a new registration is %s, the profile says %s", r.State, p.DefaultState)
	}
}

func TestContractPartner(t *testing.T) {
	c, _ := contract(t)
	x := strings.Replace(xmlID(), ".reg_", ".partner_", 1)
	columns := []string{"id", "name", "email", "phone", "street", "zip", "city"}
	ids, messages, err := c.Load(t.Context(), connector.ModelPartner, columns, [][]string{{x, "contract Parent", "parent@example.org", "+32 475 12 34 56", "Rue Haute 1", "4000", "Liège"}})
	if err != nil || len(messages) > 0 || len(ids) != 1 {
		t.Fatalf("loading: %v, %v, %v", ids, messages, err)
	}
	t.Cleanup(func() { _ = c.Unlink(context.WithoutCancel(t.Context()), connector.ModelPartner, ids) })
	partners, err := c.Partners(t.Context(), []int64{ids[0], 99999999, ids[0]})
	if err != nil || len(partners) != 1 {
		t.Fatalf("partners %+v, %v", partners, err)
	}
	g := partners[0]
	if g.ID != ids[0] || g.Name != "contract Parent" || g.Email != "parent@example.org" || g.Street != "Rue Haute 1" || g.Zip != "4000" || g.City != "Liège" || !g.Active || g.Organisation || !g.Parent.IsZero() {
		t.Errorf("partner %+v", g)
	}
	if err := c.Write(t.Context(), connector.ModelPartner, ids, map[string]any{"active": false, "city": nil}); err != nil {
		t.Fatal(err)
	}
	if partners, err = c.Partners(t.Context(), ids); err != nil || len(partners) != 1 || partners[0].Active || partners[0].City != "" {
		t.Errorf("partners %+v, %v", partners, err)
	}
}

// TestContractRace loads the same external id from many sides at once.
func TestContractRace(t *testing.T) {
	c, _ := contract(t)
	event := newEvent(t, c, nil)
	x := xmlID()
	var mu sync.Mutex
	made := map[int64]int{}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			ids, messages, err := c.Load(t.Context(), connector.ModelRegistration, []string{"id", "name", "event_id/.id", "state"},
				[][]string{{x, fmt.Sprintf("contract racer %d", i), fmt.Sprint(event), "open"}})
			switch {
			case err != nil && connector.KindOf(err) != connector.KindConflict:
				t.Errorf("load: %v", err)
			case err == nil && ids == nil:
				if !slices.ContainsFunc(messages, func(m connector.LoadMessage) bool { return m.Kind == connector.KindConflict }) {
					t.Logf("refused: %+v", messages)
				}
			case err == nil:
				mu.Lock()
				made[ids[0]]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(made) != 1 {
		t.Errorf("records %v, want one", made)
	}
	n, err := c.SearchCount(t.Context(), connector.ModelRegistration, []any{[]any{"event_id", "=", event}})
	if n != 1 || err != nil {
		t.Errorf("%d registrations under one external id, %v", n, err)
	}
}

func TestContractDesk(t *testing.T) {
	admin, p := contract(t)
	if p.deskUser == "" {
		t.Skip("no user of the registration desk is given")
	}
	event := newEvent(t, admin, nil)
	desk := p.client(t, func(c *connector.Config) { c.User, c.Password = p.deskUser, p.deskPassword })
	ids, xids := load(t, desk, event, 2, "draft")
	again, messages, err := desk.Load(t.Context(), connector.ModelRegistration, []string{"id", "state"}, [][]string{{xids[0], "open"}, {xids[1], "cancel"}})
	if err != nil || !slices.Equal(again, ids) {
		t.Errorf("loading again: %v, %v, %v", again, messages, err)
	}
	metadata, err := desk.Metadata(t.Context(), connector.ModelRegistration, ids)
	if err != nil || len(metadata) != 2 || !metadata[0].Has(xids[0]) && !metadata[0].Has(xids[1]) {
		t.Errorf("metadata %+v, %v", metadata, err)
	}
	if stages, err := desk.Stages(t.Context()); err != nil || len(stages) == 0 {
		t.Errorf("stages %v, %v", stages, err)
	}
	if events, err := desk.Events(t.Context(), []int64{event}); err != nil || len(events) != 1 {
		t.Errorf("events %v, %v", events, err)
	}
	want(t, desk.Unlink(t.Context(), connector.ModelRegistration, ids), connector.KindAccess, "")
	_, err = desk.Create(t.Context(), connector.ModelPartner, map[string]any{"name": "contract"})
	want(t, err, connector.KindAccess, "")
	_, err = desk.Create(t.Context(), connector.ModelEvent, map[string]any{"name": "contract"})
	want(t, err, connector.KindAccess, "")
	want(t, desk.Write(t.Context(), connector.ModelEvent, []int64{event}, map[string]any{"name": "contract"}), connector.KindAccess, "")
	partner, messages, err := desk.Load(t.Context(), connector.ModelPartner, []string{"id", "name"}, [][]string{{xmlID(), "contract"}})
	if err == nil && (partner != nil || len(messages) == 0) || err != nil && connector.KindOf(err) != connector.KindAccess {
		t.Errorf("a desk user loads a contact: %v, %v, %v", partner, messages, err)
	}
}
