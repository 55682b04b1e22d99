package portal

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/task"
	"ribambelle/portal/form"
)

// staffTasksPage is what a person must decide.
type staffTasksPage struct {
	staffPage
	Tasks     []taskRow
	CanEnd    bool
	CanDecide bool
	CanRefund bool
	Odoo      bool // only what Odoo refuses or changed
}

// taskRow is one open matter with what it is about.
type taskRow struct {
	ID          uuid.UUID
	Kind        string
	SubjectKind string
	SubjectID   string
	Detail      map[string]any
	CreatedAt   time.Time
	About       *string // name of the child and camp, or of the camp
}

// URL leads to what the task is about, "" when there is no page for it.
func (t taskRow) URL() string {
	switch t.SubjectKind {
	case "registration":
		return t.solvedAt()
	case "refund":
		return staffRefundPath + "/" + t.SubjectID
	case "camp":
		if t.Kind == task.CampGone {
			return "/gestion/stages/" + t.SubjectID + "/annuler"
		}
		return "/gestion/stages/" + t.SubjectID
	case "message":
		if guardian, _ := t.Detail["guardian"].(string); guardian != "" && t.Detail["template"] == "family_claim" {
			return "/gestion/adultes/" + guardian + "/acces" // a mail that came back becomes a letter
		}
	case "cash_day": // the desk closes there
		return cashPath + "/jours/" + t.SubjectID
	case "duplicate":
		return "/gestion/doublons/" + t.SubjectID
	case "block", "code":
		guardian, _ := t.Detail["guardian"].(string)
		child, _ := t.Detail["child"].(string)
		return "/gestion/liens/" + guardian + "/" + child
	}
	return ""
}

// solvedAt is the page of a registration where its matter is solved. What is owed back is seen to by who decides refunds;
// for others the page of the registration says so.
func (t taskRow) solvedAt() string {
	at := registrationPath + t.SubjectID
	switch t.Kind {
	case task.OverPaid, task.RefundDue, task.LateMoney, task.OtherAmount, task.PartPaid, task.OwesAgain:
		return at + "#money"
	case task.CancelAsked:
		return at + "#asked"
	}
	return at
}

// GivesBack reports whether the matter is money to give back: the form is one tap.
func (t taskRow) GivesBack() bool {
	return t.Kind == task.OverPaid || t.Kind == task.RefundDue || t.Kind == task.LateMoney
}

// CancelAsked reports whether a guardian asks to cancel.
func (t taskRow) CancelAsked() bool { return t.Kind == task.CancelAsked }

// LateMoney reports whether money came after the place was given up: the place may be given again.
func (t taskRow) LateMoney() bool { return t.Kind == task.LateMoney }

// SolvesItself reports whether the matter closes when what it asks for is done: nobody ticks it off by hand.
func (t taskRow) SolvesItself() bool {
	switch t.Kind {
	case task.OverPaid, task.RefundDue, task.LateMoney, task.CancelAsked, task.RefundStuck, task.RefundSecond, task.DeskOpen, task.OwesAgain:
		return true
	}
	return false
}

// BusAsked reports whether a family asks for other stops: the answer is one tap.
func (t taskRow) BusAsked() bool { return t.Kind == task.BusAsked }

// Label is the message key of what to do.
func (t taskRow) Label() string { return "task." + t.Kind }

// Cents is the amount that the task is about, 0 for none.
func (t taskRow) Cents() civil.Cents {
	if v, ok := t.Detail["cents"].(float64); ok {
		return civil.Cents(v)
	}
	return 0
}

// Mail is the message to send again, "" when the task is about something else.
func (t taskRow) Mail() string {
	if id, ok := t.Detail["message"].(string); ok && t.Kind == task.MailFailed {
		if _, err := uuid.Parse(id); err == nil {
			return id
		}
	}
	return ""
}

// Reason is what a family or Odoo said, "" for nothing.
func (t taskRow) Reason() string {
	for _, key := range []string{"reason", "fault"} {
		if v, ok := t.Detail[key].(string); ok && v != "" {
			return v
		}
	}
	return ""
}

// staffTasks lists the open matters, oldest first; ?kind=odoo for those of the mirror alone.
func (s *server) staffTasks(w http.ResponseWriter, r *http.Request) error {
	base, _, err := s.staff(r, s.locale(r).T("staff.tasks.title"), "/gestion/taches")
	if err != nil {
		return err
	}
	p := &staffTasksPage{staffPage: base, CanEnd: s.can(r, mayCash), CanDecide: s.can(r, mayDecide), CanRefund: s.can(r, mayRefund), Odoo: form.Query(r).Text("kind") == "odoo"}
	if p.Tasks, err = s.tasksOf(r.Context(), `(NOT @odoo OR t.kind LIKE 'odoo\_%')`, pgx.NamedArgs{"odoo": p.Odoo}); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/tasks", p)
}

func (s *server) tasksOf(ctx context.Context, where string, args pgx.NamedArgs) ([]taskRow, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT t.id, t.kind, t.subject_kind, t.subject_id, t.detail, t.created_at,
		  CASE t.subject_kind
		    WHEN 'registration' THEN (SELECT k.first_name || ' ' || k.last_name || ' · ' || c.name
		      FROM registration r JOIN child k ON k.id = r.child_id JOIN camp c ON c.id = r.camp_id WHERE r.id = t.subject_id::uuid)
		    WHEN 'refund' THEN (SELECT k.first_name || ' ' || k.last_name || ' · ' || c.name
		      FROM refund f JOIN registration r ON r.id = f.registration_id JOIN child k ON k.id = r.child_id JOIN camp c ON c.id = r.camp_id
		      WHERE f.id = t.subject_id::uuid)
		    WHEN 'camp' THEN (SELECT c.name FROM camp c WHERE c.id = t.subject_id::uuid)
		    WHEN 'guardian' THEN (SELECT g.first_name || ' ' || g.last_name FROM guardian g WHERE g.id = t.subject_id::uuid)
		  END AS about
		FROM task t
		WHERE t.done_at IS NULL
		  AND `+where+`
		ORDER BY t.created_at, t.id
		LIMIT 200`, args)
	if err != nil {
		return nil, fmt.Errorf("reading the tasks: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[taskRow])
	if err != nil {
		return nil, fmt.Errorf("reading the tasks: %w", err)
	}
	return list, nil
}

// staffTaskDone takes a matter off the list; the audit keeps who did.
func (s *server) staffTaskDone(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	actor, _ := s.actorOf(r)
	id := pathID(r)
	err = s.DB.InTx(r.Context(), func(ctx context.Context, tx db.Tx) error {
		if err := task.CloseByID(ctx, tx, id, actor.String()); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "task.done", "task", id.String(), nil)
	})
	if err != nil {
		return err
	}
	s.flash(w, "flash.task_done")
	return seeOther(w, r, officeNext(f.Text("to"), "/gestion/taches"))
}
