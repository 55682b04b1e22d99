package portal

import (
	"context"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/enrol"
	"ribambelle/internal/locale"
)

// standing is all that a cell may change.
type standing struct {
	States map[uuid.UUID]enrol.State
	Events int // lines of histories
	Lines  int // of the ledger
	Places int
	Tasks  int
}

func (m *matrix) standing() standing {
	m.t.Helper()
	v := standing{States: map[uuid.UUID]enrol.State{}}
	rows, err := m.db.Query(context.Background(), `SELECT id, state FROM registration`)
	if err != nil {
		m.t.Fatal(err)
	}
	var id uuid.UUID
	var state enrol.State
	_, err = pgx.ForEachRow(rows, []any{&id, &state}, func() error { v.States[id] = state; return nil })
	if err == nil {
		err = m.db.QueryRow(context.Background(), `
			SELECT (SELECT count(*) FROM registration_event), (SELECT count(*) FROM ledger_line), (SELECT count(*) FROM place),
			  (SELECT count(*) FROM task WHERE done_at IS NULL)`).Scan(&v.Events, &v.Lines, &v.Places, &v.Tasks)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return v
}

// does sends the form of one cell, compares what happened with what the law says, and reports whether the registration
// still stands as before.
func (m *matrix) does(name string, row *matrixRow, a action, w *browser, want cell) bool {
	m.t.Helper()
	var pairs []string
	if a.form != nil {
		pairs = a.form(m, row)
	}
	before := m.standing()
	got := w.send(strings.ReplaceAll(a.path, "{}", row.id.String()), pairs...)
	if want.status == 0 && a.after != nil && got.StatusCode == 303 {
		a.after(m, row)
	}
	after := m.standing()
	if want.status != 0 {
		if got.StatusCode != want.status || !says(got.text("main"), want.code) {
			m.t.Errorf("%s: answered %d %q, want %d %s", name, got.StatusCode, got.text("main"), want.status, want.code)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			m.t.Errorf("%s is refused, yet something changed (-before +after):\n%s", name, diff)
			return false
		}
		return true
	}
	if got.StatusCode != 303 {
		m.t.Errorf("%s: answered %d %q, want it done", name, got.StatusCode, got.text("main"))
	}
	moved := want.to != "" && want.to != before.States[row.id]
	for id, state := range after.States {
		was, known := before.States[id]
		switch {
		case id == row.id && moved && state != want.to:
			m.t.Errorf("%s: it is %s, want %s", name, state, want.to)
		case id == row.id && !moved && state != was, id != row.id && known && state != was:
			m.t.Errorf("%s: a registration moved from %s to %s", name, was, state)
		case !known && !strings.HasPrefix(a.name, "move"):
			m.t.Errorf("%s: a registration was made", name)
		}
	}
	if strings.HasPrefix(a.name, "move") && len(after.States) != len(before.States)+1 {
		m.t.Errorf("%s: %d registrations were made, want one", name, len(after.States)-len(before.States))
	}
	if want.asks != "" {
		if n := m.count(`SELECT count(*) FROM task WHERE done_at IS NULL AND subject_id = $1 AND kind = $2`, row.id.String(), want.asks); n != 1 {
			m.t.Errorf("%s: %d tasks %s, want one", name, n, want.asks)
		}
	} else if want.to == "" && after.Events != before.Events+1 {
		m.t.Errorf("%s leaves no line in the history", name)
	}
	m.exec(`DELETE FROM task`)
	return !moved
}

// says reports whether a text holds a message, whatever stands for its arguments.
func says(text, key string) bool {
	for _, part := range strings.Split(locale.For("fr").T(key, "\x00", "\x00"), "\x00") {
		part, _, _ = strings.Cut(part, "%!(EXTRA")
		if !strings.Contains(strings.ReplaceAll(text, "\u00a0", " "), strings.TrimSpace(part)) {
			return false
		}
	}
	return true
}

// reach brings a registration to a state the way people do, anew after a cell moved it. Two states last no longer than
// their transaction: submitted and validated are written as a crash would have to leave them. The commune's own end of a
// camp has no command yet and is written too.
func (m *matrix) reach(state enrol.State, again *matrixRow) *matrixRow {
	m.t.Helper()
	ctx, row := context.Background(), m.rows[state]
	must := func(err error) {
		m.t.Helper()
		if err != nil {
			m.t.Fatalf("reaching %s: %v", state, err)
		}
	}
	if again != nil { // end what the cell left
		rows, err := m.db.Query(ctx, `
			SELECT id
			FROM registration
			WHERE child_id = $1
			  AND state IN ('submitted', 'to_validate', 'validated', 'awaiting_payment', 'waitlisted', 'offered', 'confirmed')`, row.child)
		must(err)
		open, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		must(err)
		for _, id := range open {
			must(m.config.Enrol.Cancel(ctx, m.agent.ID, id, "fin"))
		}
	}
	*row = matrixRow{camp: row.camp, child: row.child, rival: row.rival}
	ask := func(guardian, child uuid.UUID) uuid.UUID {
		m.t.Helper()
		r, err := m.config.Enrol.Register(ctx, guardian, enrol.Request{Key: uuid.New(), ChildID: child, CampID: row.camp})
		must(err)
		return r.ID
	}
	write := func(to enrol.State) {
		m.exec(`INSERT INTO registration_event (registration_id, from_state, to_state, at, actor_kind, actor_id) SELECT id, state, $2, $3, 'command', 'test' FROM registration WHERE id = $1`, row.id, to, *m.now)
		m.exec(`UPDATE registration SET state = $2 WHERE id = $1`, row.id, to)
	}
	validate := func() {
		must(m.config.Enrol.Decide(ctx, m.agent.ID, row.id, true, ""))
		row.due = true
	}
	var rival uuid.UUID
	if crowded(state) && m.count(`SELECT held FROM pool p JOIN camp c ON c.pool_id = p.id WHERE c.id = $1`, row.camp) == 0 {
		rival = ask(m.rivals.ID, row.rival)
	}
	row.id = ask(m.mother.ID, row.child)
	m.exec(`UPDATE registration SET payer_id = $2, debtor_id = $2 WHERE id = $1`, row.id, m.father.ID)
	switch state {
	case enrol.Submitted:
		m.exec(`DELETE FROM place WHERE registration_id = $1`, row.id)
		m.exec(`UPDATE pool SET held = held - 1 WHERE id = (SELECT pool_id FROM camp WHERE id = $1)`, row.camp)
		m.exec(`ALTER TABLE registration DISABLE TRIGGER registration_state_moves`)
		m.exec(`UPDATE registration SET state = 'submitted' WHERE id = $1`, row.id)
		m.exec(`ALTER TABLE registration ENABLE TRIGGER registration_state_moves`)
	case enrol.Validated:
		write(enrol.Validated)
	case enrol.AwaitingPayment:
		validate()
	case enrol.Offered, enrol.Declined:
		must(m.config.Enrol.Cancel(ctx, m.agent.ID, rival, "fin"))
		if state == enrol.Declined {
			row.before = enrol.ToValidate
			must(m.config.Enrol.Answer(ctx, m.mother.ID, m.agent.ID, row.id, false))
		}
	case enrol.Confirmed, enrol.Completed:
		validate()
		m.people["payer"].send("/mon-espace/inscriptions/" + row.id.String() + "/paiement")
		m.bankPays(row)
		row.paid = true
		if state == enrol.Completed {
			m.exec(`UPDATE camp SET begins_at = $2, ends_at = $3 WHERE id = $1`, row.camp, m.now.AddDate(0, 0, -7), m.now.AddDate(0, 0, -2))
			_, err := m.config.Enrol.Complete(ctx)
			must(err)
		}
	case enrol.Refused:
		row.before = enrol.ToValidate
		must(m.config.Enrol.Decide(ctx, m.agent.ID, row.id, false, "Complet."))
	case enrol.Expired:
		row.before = enrol.AwaitingPayment
		validate()
		m.exec(`UPDATE registration SET due_at = $2 WHERE id = $1`, row.id, m.now.AddDate(0, 0, -1))
		_, err := m.config.Enrol.Expire(ctx)
		must(err)
	case enrol.Withdrawn:
		row.before = enrol.ToValidate
		done, err := m.config.Enrol.Withdraw(ctx, m.father.ID, m.agent.ID, row.id, "")
		must(err)
		if !done {
			m.t.Fatal("the payer only asked to withdraw")
		}
	case enrol.Cancelled:
		row.before = enrol.AwaitingPayment
		validate()
		must(m.config.Enrol.Cancel(ctx, m.agent.ID, row.id, "fin"))
	case enrol.CampCancelled:
		write(enrol.CampCancelled)
		m.exec(`UPDATE camp SET cancelled = true WHERE id = $1`, row.camp)
	}
	if got := m.state(row.id); got != state {
		m.t.Fatalf("reached %s, want %s", got, state)
	}
	return row
}
