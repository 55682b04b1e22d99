package sync

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ribambelle/connector"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/mirror"
	"ribambelle/internal/task"
)

// sendRegistrations sends one batch: what we made under our external ids, what was adopted by its own id.
func (p *pushing) sendRegistrations(ctx context.Context, batch []row) error {
	var ours, adopted []row
	for _, w := range batch {
		if w.adopted {
			adopted = append(adopted, w)
		} else {
			ours = append(ours, w)
		}
	}
	byID := slices.Clone(registrationColumns)
	byID[0] = ".id"
	for _, part := range []struct {
		columns []string
		rows    []row
	}{{registrationColumns, ours}, {byID, adopted}} {
		if err := p.hold(ctx, part.rows); err != nil {
			return err
		}
		pushed, refused, err := p.load(ctx, connector.ModelRegistration, part.columns, part.rows)
		p.r.Pushed += pushed
		p.r.Refused += refused
		if err != nil {
			return err
		}
	}
	return nil
}

// hold keeps what Odoo shall confirm with a mail of its own from being opened by the load, which mails nobody: such a
// row is loaded in the state that it has, and opened afterwards. A row that is open already stays so.
func (p *pushing) hold(ctx context.Context, rows []row) error {
	if !p.mails {
		return nil
	}
	var known []int64
	for _, w := range rows {
		if w.state == connector.StateOpen && w.odooID != 0 {
			known = append(known, w.odooID)
		}
	}
	there, err := p.Odoo.Registrations(ctx, known)
	if err != nil {
		return err
	}
	states := make(map[int64]string, len(there))
	for _, g := range there {
		states[g.ID] = g.State
	}
	for i, w := range rows {
		if w.state != connector.StateOpen {
			continue
		}
		rows[i].values[valueState] = connector.StateDraft
		if now, ok := states[w.odooID]; ok {
			rows[i].values[valueState] = now
		}
	}
	return nil
}

// load sends rows in one transaction of Odoo and notes what it took. A row that Odoo refuses is sent again alone, so
// that its own reason is known, and the others go through without it. An error ends the push: what was not taken stays
// to be sent, and sending again what was taken changes nothing.
func (p *pushing) load(ctx context.Context, model string, columns []string, rows []row) (pushed, refused int, err error) {
	if len(rows) == 0 {
		return 0, 0, nil
	}
	ids, messages, err := p.loadPatiently(ctx, model, columns, rows)
	if err != nil {
		if !rowsFault(err) {
			return 0, 0, err
		}
		if connector.KindOf(err) == connector.KindAccess {
			if err := p.allowed(ctx, model, err); err != nil {
				return 0, 0, err
			}
		}
		messages = []connector.LoadMessage{{Row: -1, Message: refusalOf(err), Kind: connector.KindUser}}
	}
	if ids != nil {
		refused, err := p.accept(ctx, model, columns, rows, ids)
		return len(rows) - refused, refused, err
	}
	if len(rows) == 1 {
		return 0, 1, p.refuse(ctx, rows[0], messages)
	}
	rest, suspects := split(rows, messages)
	for _, part := range append([][]row{rest}, suspects...) {
		n, f, err := p.load(ctx, model, columns, part)
		pushed, refused = pushed+n, refused+f
		if err != nil {
			return pushed, refused, err
		}
	}
	return pushed, refused, nil
}

// rowsFault reports whether a fault of the whole call may be the fault of one row: Odoo rolled back and said why. Some
// refusals come so, and so does any exception of a module that the commune added.
func rowsFault(err error) bool {
	var f *connector.Fault
	if !errors.As(err, &f) || f.Ambiguous {
		return false
	}
	switch f.Kind {
	case connector.KindUser, connector.KindMissing, connector.KindAccess:
		return true
	case connector.KindProtocol:
		return f.Code == connector.CodeServer
	}
	return false
}

// allowed ends the push when the user lacks the right on the model as a whole, instead of refusing row after row.
func (p *pushing) allowed(ctx context.Context, model string, cause error) error {
	for _, op := range []connector.Operation{connector.OpCreate, connector.OpWrite} {
		yes, err := p.Odoo.CheckAccess(ctx, model, op)
		if err != nil {
			return err
		}
		if !yes {
			return cause
		}
	}
	return nil
}

// busyTries is how often a load is repeated while others change the same records in Odoo.
const busyTries = 6

// loadPatiently is one load, repeated after a growing pause while Odoo is busy with the same records.
func (p *pushing) loadPatiently(ctx context.Context, model string, columns []string, rows []row) ([]int64, []connector.LoadMessage, error) {
	values := make([][]string, len(rows))
	for i, w := range rows {
		values[i] = w.values
	}
	for try := 1; ; try++ {
		ids, messages, err := p.Odoo.Load(ctx, model, columns, values)
		busy := connector.KindOf(err) == connector.KindConflict ||
			slices.ContainsFunc(messages, func(m connector.LoadMessage) bool { return ids == nil && m.Kind == connector.KindConflict })
		if !busy {
			return ids, messages, err
		}
		if try == busyTries {
			return nil, nil, fmt.Errorf("loading %d rows of %s: Odoo was busy with the same records: %w", len(rows), model, errBusy)
		}
		if err := pause(ctx, try); err != nil {
			return nil, nil, err
		}
	}
}

var errBusy = errors.New("tried several times")

// pause waits 50 ms, 100 ms, 200 ms…, each with half of it as jitter.
func pause(ctx context.Context, try int) error {
	d := 50 * time.Millisecond << (try - 1)
	t := time.NewTimer(d/2 + rand.N(d)) //nolint:gosec // jitter, not a secret
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for Odoo: %w", ctx.Err())
	}
}

// refusalOf is Odoo's own sentence.
func refusalOf(err error) string {
	var f *connector.Fault
	if errors.As(err, &f) && f.Message != "" {
		return f.Message
	}
	return err.Error()
}

// split sets the rows that the messages name apart, each alone; when they name none, it halves the batch.
func split(rows []row, messages []connector.LoadMessage) (rest []row, suspects [][]row) {
	named := map[int]bool{}
	for _, m := range messages {
		if m.Row >= 0 && m.Row < len(rows) && !m.Warning {
			named[m.Row] = true
		}
	}
	if len(named) == 0 {
		half := len(rows) / 2
		return rows[:half], [][]row{rows[half:]}
	}
	for i, w := range rows {
		if named[i] {
			suspects = append(suspects, []row{w})
		} else {
			rest = append(rest, w)
		}
	}
	return rest, suspects
}

// accept notes what a load took, once its states are what they shall be. It returns how many rows were refused after
// all: Odoo's own confirmation may stumble.
func (p *pushing) accept(ctx context.Context, model string, columns []string, rows []row, ids []int64) (refused int, err error) {
	if model == connector.ModelRegistration {
		if err := p.unconfirm(ctx, columns, rows, ids); err != nil {
			return 0, err
		}
	}
	var taken []row
	var takenIDs []int64
	for i, w := range rows {
		if w.kind != mirror.Registration || w.values[valueState] == w.state {
			taken, takenIDs = append(taken, w), append(takenIDs, ids[i])
		}
	}
	if err := p.took(ctx, model, taken, takenIDs); err != nil {
		return 0, err
	}
	if err := p.linkHeld(ctx, rows, ids); err != nil {
		return 0, err
	}
	for i, w := range rows { // one at a time: two that print a badge at once can block a small Odoo
		if w.kind != mirror.Registration || w.values[valueState] == w.state {
			continue
		}
		err := p.Odoo.Write(ctx, model, ids[i:i+1], map[string]any{"state": w.state})
		switch {
		case err == nil:
			err = p.took(ctx, model, rows[i:i+1], ids[i:i+1])
		case rowsFault(err):
			refused++
			err = p.refuse(ctx, w, []connector.LoadMessage{{Row: 0, Message: refusalOf(err)}})
		}
		if err != nil {
			return refused, err
		}
	}
	return refused, nil
}

// linkHeld notes which rows Odoo has that it shall still open, so that nobody takes them for someone else's meanwhile.
func (p *pushing) linkHeld(ctx context.Context, rows []row, ids []int64) error {
	var local []uuid.UUID
	var odoo []int64
	for i, w := range rows {
		if w.kind == mirror.Registration && w.values[valueState] != w.state {
			local, odoo = append(local, w.id), append(odoo, ids[i])
		}
	}
	if len(local) == 0 {
		return nil
	}
	return mirror.Link(ctx, p.DB, connector.ModelRegistration, mirror.Registration, odoo, local)
}

// unconfirm takes back what an event that confirms by itself (14 to 16) did to new drafts.
func (p *pushing) unconfirm(ctx context.Context, columns []string, rows []row, ids []int64) error {
	if !p.profile.AutoConfirms {
		return nil
	}
	var fresh []int64
	for i, w := range rows {
		if w.odooID == 0 && w.values[valueState] == connector.StateDraft {
			fresh = append(fresh, ids[i])
		}
	}
	there, err := p.Odoo.Registrations(ctx, fresh)
	if err != nil {
		return err
	}
	var values [][]string
	for _, g := range there {
		if i := slices.Index(ids, g.ID); i >= 0 && g.State != connector.StateDraft {
			values = append(values, []string{rows[i].values[0], connector.StateDraft})
		}
	}
	if len(values) == 0 {
		return nil
	}
	back, messages, err := p.Odoo.Load(ctx, connector.ModelRegistration, []string{columns[0], "state"}, values)
	if err == nil && back == nil {
		err = fmt.Errorf("taking back %d drafts that Odoo confirmed: %s", len(values), texts(messages))
	}
	return err
}

// took notes what Odoo has now.
func (p *pushing) took(ctx context.Context, model string, rows []row, ids []int64) error {
	if len(rows) == 0 {
		return nil
	}
	kind := rows[0].kind
	local, subjects, versions := make([]uuid.UUID, len(rows)), make([]string, len(rows)), make([]int64, len(rows))
	var fresh, freed []uuid.UUID
	for i, w := range rows {
		local[i], subjects[i], versions[i] = w.id, w.id.String(), w.version
		if w.odooID == 0 {
			fresh = append(fresh, w.id)
		}
		if w.state == connector.StateCancel && !slices.Contains(freed, w.camp) {
			freed = append(freed, w.camp)
		}
	}
	p.again = p.again || len(freed) > 0
	var camps []uuid.UUID
	err := p.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) (err error) {
		if err := task.CloseAll(ctx, tx, task.OdooRefused, kind, subjects, "push"); err != nil {
			return err
		}
		if err := mirror.Accept(ctx, tx, kind, local...); err != nil {
			return err
		}
		if kind == mirror.Guardian {
			if err := household.MirroredAll(ctx, tx, local, versions); err != nil {
				return err
			}
			if err := enrol.Remirror(ctx, tx, fresh); err != nil { // they stand in Odoo without this contact
				return err
			}
			return mirror.Link(ctx, tx, model, kind, ids, local)
		}
		if err := enrol.MirroredAll(ctx, tx, local, versions); err != nil {
			return err
		}
		if err := mirror.TryAgain(ctx, tx, freed...); err != nil {
			return err
		}
		// A row whose answer was lost may have been taken for someone else's meanwhile.
		if camps, err = mirror.DropExternals(ctx, tx, ids); err != nil {
			return err
		}
		return mirror.Link(ctx, tx, model, kind, ids, local)
	})
	if err != nil {
		return err
	}
	return p.countOutside(ctx, camps)
}

// refuse notes that Odoo does not take a row and makes it a task. Two refusals mend themselves: a contact that Odoo no
// longer has is sent anew, and a draft that a full event does not take (14 and 15) waits for its confirmation.
func (p *pushing) refuse(ctx context.Context, w row, messages []connector.LoadMessage) error {
	quiet := w.kind == mirror.Registration && p.profile.FullRefusesDrafts && w.odooID == 0 && w.state == connector.StateDraft
	lostPartner := w.kind == mirror.Registration && slices.ContainsFunc(messages, func(m connector.LoadMessage) bool {
		return strings.HasPrefix(m.Field, columnPartner)
	})
	return p.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if lostPartner {
			healed, err := p.forgetPartner(ctx, tx, w)
			p.again = p.again || healed
			if err != nil || healed {
				return err
			}
		}
		if err := mirror.Refuse(ctx, tx, w.kind, w.id, w.version, texts(messages), quiet, p.Now()); err != nil {
			return err
		}
		if quiet {
			return nil
		}
		return task.Open(ctx, tx, task.OdooRefused, w.kind, w.id.String(), map[string]any{w.kind: w.id})
	})
}

// forgetPartner lets the contact of a registration be made anew, since Odoo deleted it. The registration goes on
// without one; it follows when the contact is there.
func (p *pushing) forgetPartner(ctx context.Context, tx db.Tx, w row) (healed bool, err error) {
	r, err := p.Enrol.Registration(ctx, w.id)
	if err != nil {
		return false, err
	}
	links, err := mirror.LinkedRecords(ctx, tx, mirror.Guardian)
	if err != nil {
		return false, err
	}
	if _, ok := links[r.RegistrantID]; !ok {
		return false, nil
	}
	if err := mirror.UnlinkLocal(ctx, tx, mirror.Guardian, r.RegistrantID); err != nil {
		return false, err
	}
	return true, household.Unmirror(ctx, tx, r.RegistrantID)
}

func texts(messages []connector.LoadMessage) string {
	all := make([]string, len(messages))
	for i, m := range messages {
		all[i] = m.Message
	}
	return strings.Join(slices.Compact(all), "\n")
}
