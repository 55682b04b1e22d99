package money

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/ledger"
	"ribambelle/internal/pay"
	"ribambelle/internal/problem"
)

// hands is how many commands run at once in one process.
const hands = 6

// TestWorker is no test: it is the process that is killed. It acts until then, and says each command that was done.
func TestWorker(t *testing.T) {
	if os.Getenv(envDB) == "" {
		return
	}
	began, err := time.Parse(time.RFC3339Nano, env(envBegan))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := strconv.ParseUint(env(envSeed), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), env(envDB))
	if err != nil {
		t.Fatal(err)
	}
	c, err := join(t.Context(), d, env(envSim), env(envOut), clock(began))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range hands {
		wg.Go(func() {
			h := &hand{commune: c, rnd: rand.New(rand.NewPCG(seed, uint64(i)))}
			for {
				name, err := h.act(t.Context())
				if err != nil && problem.As(err) == nil && !pay.Temporary(err) {
					fmt.Printf("\nBROKEN %s: %v\n", name, err)
					os.Exit(3)
				}
				fmt.Printf("\nDONE %s\n", name)
			}
		})
	}
	wg.Wait()
}

// hand does one command after another.
type hand struct {
	*commune
	rnd *rand.Rand
}

var errNothing = problem.Conflict("proof.nothing")

// act does a random command. Half of them bring registrations and money, so that there is something to undo.
func (h *hand) act(ctx context.Context) (string, error) {
	actions := []struct {
		name   string
		weight int
		do     func(context.Context) error
	}{
		{"register", 20, h.register},
		{"decide", 16, h.decide},
		{"pay", 24, h.pay},
		{"pay all", 8, h.payAll},
		{"cash", 4, h.cash},
		{"end", 6, h.end},
		{"restore", 4, h.restore},
		{"share", 5, h.share},
		{"cover", 4, h.cover},
		{"end part", 4, h.endPart},
		{"refund", 8, h.refund},
		{"send", 10, h.send},
		{"choose", 6, h.choose},
		{"bank", 3, h.bank},
		{"provider's staff", 2, h.outside},
		{"session", 1, h.session},
		{"camp", 1, h.giveUp},
		{"race", 6, h.race},
	}
	sum := 0
	for _, a := range actions {
		sum += a.weight
	}
	n := h.rnd.IntN(sum)
	for _, a := range actions {
		if n -= a.weight; n < 0 {
			return a.name, a.do(ctx)
		}
	}
	panic("unreachable")
}

// pick returns the id of a random row.
func (h *hand) pick(ctx context.Context, sql string, args ...any) (id uuid.UUID, err error) {
	err = h.db.QueryRow(ctx, sql+` ORDER BY random() LIMIT 1`, args...).Scan(&id)
	if err != nil {
		return id, errNothing
	}
	return id, nil
}

const open = `SELECT id FROM registration WHERE state NOT IN ('refused', 'declined', 'expired', 'withdrawn', 'cancelled', 'camp_cancelled')`

func (h *hand) register(ctx context.Context) error {
	child := h.children[h.rnd.IntN(len(h.children))]
	_, err := h.enrol.Register(ctx, h.guardian[child], enrol.Request{Key: uuid.New(), ChildID: child, CampID: h.camps[h.rnd.IntN(len(h.camps))]})
	return err
}

func (h *hand) decide(ctx context.Context) error {
	id, err := h.pick(ctx, `SELECT id FROM registration WHERE state = 'to_validate'`)
	if err != nil {
		return err
	}
	return h.enrol.Decide(ctx, h.account, id, h.rnd.IntN(12) > 0, "motif")
}

func back(id uuid.UUID) string { return "https://stages.example/retour/" + id.String() }

func (h *hand) pay(ctx context.Context) error {
	id, err := h.pick(ctx, `SELECT id FROM registration WHERE state = 'awaiting_payment'`)
	if err != nil {
		return err
	}
	return h.payFor(ctx, id)
}

func (h *hand) payAll(ctx context.Context) error {
	child := h.children[h.rnd.IntN(len(h.children))]
	rows, err := h.db.Query(ctx, `
		SELECT r.id
		FROM registration r
		WHERE r.payer_id = $1
		  AND r.state IN ('awaiting_payment', 'confirmed')`, h.guardian[child])
	if err != nil {
		return err
	}
	var ids []uuid.UUID
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
	}
	if rows.Err() != nil || len(ids) == 0 {
		return errors.Join(rows.Err(), errNothing)
	}
	return h.payAs(ctx, h.guardian[child], ids...)
}

func (h *hand) payFor(ctx context.Context, id uuid.UUID) error {
	r, err := h.enrol.Registration(ctx, id)
	if err != nil {
		return err
	}
	payer := r.PayerID
	if h.rnd.IntN(3) == 0 {
		payer = h.other
	}
	return h.payAs(ctx, payer, id)
}

// payAs opens a payment, and its payer does on the provider's page what payers do.
func (h *hand) payAs(ctx context.Context, payer uuid.UUID, ids ...uuid.UUID) error {
	method := []string{pay.MethodBancontact, pay.MethodCard}[h.rnd.IntN(2)]
	a, err := h.enrol.StartPayment(ctx, payer, ids, method, back)
	if err != nil || a.ProviderID == nil {
		return err
	}
	action := []string{"pay", "pay", "pay", "pay", "cancel", "fail", "pend"}[h.rnd.IntN(7)]
	h.checkout(ctx, *a.ProviderID, action)
	if h.rnd.IntN(2) == 0 {
		return nil // the signal or the sweep will tell
	}
	_, err = h.enrol.CheckPayment(ctx, a.ID)
	return err
}

// race asks after one payment many times at once, while its payer pays.
func (h *hand) race(ctx context.Context) error {
	id, err := h.pick(ctx, `SELECT id FROM payment WHERE status IN ('open', 'pending') AND provider_id IS NOT NULL`)
	if err != nil {
		return err
	}
	a, err := ledger.ReadAttempt(ctx, h.db, id)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			if i == 3 {
				h.checkout(ctx, *a.ProviderID, "pay")
			}
			_, errs[i] = h.enrol.CheckPayment(ctx, id)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (h *hand) cash(ctx context.Context) error {
	id, err := h.pick(ctx, `SELECT d.id FROM due d JOIN registration r ON r.id = d.registration_id WHERE r.state IN ('awaiting_payment', 'expired', 'cancelled')`)
	if err != nil {
		return err
	}
	return h.enrol.RecordPayment(ctx, h.account, id, civil.Cents(1000+h.rnd.IntN(7000)), []string{"cash", "terminal", "bank"}[h.rnd.IntN(3)], uuid.New())
}

func (h *hand) end(ctx context.Context) error {
	id, err := h.pick(ctx, open)
	if err != nil {
		return err
	}
	return h.enrol.End(ctx, h.account, id, enrol.Ending{Reason: "motif", Fee: civil.Cents(h.rnd.IntN(2) * 1500), GiveBack: h.rnd.IntN(2) == 0})
}

func (h *hand) restore(ctx context.Context) error {
	id, err := h.pick(ctx, `SELECT id FROM registration WHERE state IN ('refused', 'expired', 'cancelled', 'camp_cancelled')`)
	if err != nil {
		return err
	}
	return h.enrol.Restore(ctx, h.account, id, "erreur")
}

func (h *hand) part(payer uuid.UUID) enrol.PartForm {
	if h.rnd.IntN(2) == 0 {
		return enrol.PartForm{PayerID: payer, Share: 1 + h.rnd.IntN(10000)}
	}
	return enrol.PartForm{PayerID: payer, Cents: civil.Cents(1 + h.rnd.IntN(7000))}
}

func (h *hand) share(ctx context.Context) error {
	id, err := h.pick(ctx, open)
	if err != nil {
		return err
	}
	return h.enrol.AddShare(ctx, h.account, id, h.part(h.other))
}

func (h *hand) cover(ctx context.Context) error {
	id, err := h.pick(ctx, open)
	if err != nil {
		return err
	}
	return h.enrol.AddCover(ctx, h.account, id, enrol.CoverForm{PartForm: h.part(h.org), Reference: "R"})
}

func (h *hand) endPart(ctx context.Context) error {
	id, err := h.pick(ctx, `SELECT id FROM due WHERE ended_at IS NULL AND (part_share IS NOT NULL OR part_cents IS NOT NULL)`)
	if err != nil {
		return err
	}
	return h.enrol.EndPart(ctx, h.account, id, "fini")
}

func (h *hand) refund(ctx context.Context) error {
	id, err := h.pick(ctx, `SELECT registration_id FROM ledger_line WHERE kind = 'payment'`)
	if err != nil {
		return err
	}
	all, err := h.enrol.Returnable(ctx, id)
	if err != nil || len(all) == 0 {
		return errors.Join(err, errNothing)
	}
	v := all[h.rnd.IntN(len(all))]
	f := enrol.RefundForm{Key: uuid.New(), DueID: v.Due.ID, Cents: 1 + civil.Cents(h.rnd.Int64N(int64(v.Cents))), Reason: "motif"}
	err = h.enrol.Refund(ctx, h.account, f)
	if h.rnd.IntN(3) == 0 {
		err = errors.Join(err, h.enrol.Refund(ctx, h.account, f)) // pressed twice
	}
	return err
}

func (h *hand) send(ctx context.Context) error {
	id, err := h.pick(ctx, `SELECT id FROM refund WHERE state IN ('decided', 'to_confirm')`)
	if err != nil {
		return err
	}
	o, err := ledger.ReadRefund(ctx, h.db, id)
	if err != nil {
		return err
	}
	switch {
	case o.State == ledger.RefundToConfirm:
		return h.enrol.ConfirmRefund(ctx, h.second, id, true)
	case o.Way == ledger.ByCash:
		return h.enrol.PayOut(ctx, h.account, id)
	}
	return h.enrol.SendRefund(ctx, id)
}

func (h *hand) choose(ctx context.Context) error {
	id, err := h.pick(ctx, `SELECT id FROM refund WHERE state = 'to_choose'`)
	if err != nil {
		return err
	}
	o, err := ledger.ReadRefund(ctx, h.db, id)
	if err != nil {
		return err
	}
	if h.rnd.IntN(2) == 0 {
		return h.enrol.TakeMoney(ctx, o.PayerID, h.account, id, "BE68539007547034")
	}
	to, err := h.pick(ctx, `SELECT registration_id FROM due WHERE payer_id = $1`, o.PayerID)
	if err != nil {
		return err
	}
	return h.enrol.TakeCamp(ctx, o.PayerID, h.account, id, to)
}

func (h *hand) paid(ctx context.Context) (id string, err error) {
	if err := h.db.QueryRow(ctx, `SELECT provider_id FROM payment WHERE status = 'paid' ORDER BY random() LIMIT 1`).Scan(&id); err != nil {
		return "", errNothing
	}
	return id, nil
}

func (h *hand) bank(ctx context.Context) error {
	id, err := h.paid(ctx)
	if err == nil {
		h.post(ctx, h.sim+"/simulator/payments/"+id, `{"action":"chargeback"}`)
	}
	return err
}

func (h *hand) outside(ctx context.Context) error {
	id, err := h.paid(ctx)
	if err == nil {
		h.post(ctx, h.sim+"/simulator/payments/"+id, `{"action":"refund","cents":700}`)
	}
	return err
}

func (h *hand) session(ctx context.Context) error {
	c := h.camps[h.rnd.IntN(len(h.camps))]
	all, err := camp.SessionsOf(ctx, h.db, c)
	if err != nil {
		return err
	}
	_, err = h.enrol.CancelSessions(ctx, h.account, c, uuid.New(), []uuid.UUID{all[h.rnd.IntN(len(all))].ID}, "orage")
	return err
}

func (h *hand) giveUp(ctx context.Context) error {
	_, err := h.enrol.CancelCamp(ctx, h.account, h.camps[h.rnd.IntN(len(h.camps))], uuid.New(), "pas assez d’animateurs")
	return err
}
