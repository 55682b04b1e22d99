package ledger

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/seal"
)

var tester = audit.Command("test")

// fiscalBundle is a commune with one camp of five days in July 2025, in February 2026.
type fiscalBundle struct {
	t      *testing.T
	db     *db.DB
	now    time.Time
	store  *Attestations
	camp   uuid.UUID
	by     uuid.UUID // marks attendance
	serial int64
}

func setupFiscal(t *testing.T) *fiscalBundle {
	t.Helper()
	b := &fiscalBundle{t: t, db: dbtest.New(t), now: time.Date(2026, 2, 10, 9, 0, 0, 0, time.UTC)}
	jobs, err := job.NewInserter(b.db)
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return b.now }
	b.store = NewAttestations(b.db, clock, seal.NewTest(), household.New(b.db, clock, seal.NewTest(), jobs), jobs)
	for key, value := range map[string]string{"commune.name": "Commune de Valmont", "commune.street": "Place communale 1", "commune.city": "4999 Valmont", "commune.bce": "0207.354.920"} {
		b.exec(`INSERT INTO setting (key, value) VALUES (@key, @value)`, pgx.NamedArgs{"key": key, "value": value})
	}
	b.by = b.id(`INSERT INTO account (email, name, password_hash) VALUES ('tom@example.org', 'Tom', '') RETURNING id`, nil)
	b.camp = b.newCamp("Cirque", civil.NewDate(2025, 7, 7), 5)
	return b
}

func (b *fiscalBundle) exec(sql string, args pgx.NamedArgs) {
	b.t.Helper()
	if _, err := b.db.Exec(b.t.Context(), sql, args); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
}

func (b *fiscalBundle) id(sql string, args pgx.NamedArgs) (id uuid.UUID) {
	b.t.Helper()
	if err := b.db.QueryRow(b.t.Context(), sql, args).Scan(&id); err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
	return id
}

func (b *fiscalBundle) newCamp(name string, first civil.Date, days int) uuid.UUID {
	b.t.Helper()
	camp := b.id(`
		WITH p AS (INSERT INTO pool (kind) VALUES ('camp') RETURNING id)
		INSERT INTO camp (name, begins_at, ends_at, pool_id)
		SELECT @name, @b, @e, id FROM p
		RETURNING id`,
		pgx.NamedArgs{"name": name, "b": first.At(9*60, civil.Brussels), "e": first.AddDays(days-1).At(16*60, civil.Brussels)})
	for i := range days {
		b.exec(`INSERT INTO camp_session (camp_id, day, starts, ends) VALUES (@camp, @day, '09:00', '16:00')`,
			pgx.NamedArgs{"camp": camp, "day": first.AddDays(i)})
	}
	return camp
}

// parent makes a guardian with an address and a national number.
func (b *fiscalBundle) parent(first, number string) uuid.UUID {
	b.t.Helper()
	home := b.id(`INSERT INTO household (name) VALUES ('Lambert') RETURNING id`, nil)
	id := b.id(`
		INSERT INTO guardian (household_id, first_name, last_name, street, postcode, city)
		VALUES (@home, @first, 'Lambert', 'Rue du Test 12', '7180', 'Seneffe')
		RETURNING id`, pgx.NamedArgs{"home": home, "first": first})
	if number != "" {
		if err := b.store.Households.SaveOwnNumber(b.t.Context(), id, number); err != nil {
			b.t.Fatal(err)
		}
	}
	return id
}

// child makes a child of the parent's household.
func (b *fiscalBundle) child(parent uuid.UUID, first string, birth civil.Date, number string) uuid.UUID {
	b.t.Helper()
	id := b.id(`
		INSERT INTO child (first_name, last_name, birth_date, submission_key)
		VALUES (@first, 'Lambert', @birth, gen_random_uuid())
		RETURNING id`, pgx.NamedArgs{"first": first, "birth": birth})
	b.exec(`INSERT INTO household_child (household_id, child_id) SELECT household_id, @child FROM guardian WHERE id = @parent`,
		pgx.NamedArgs{"child": id, "parent": parent})
	if number != "" {
		sealed, err := b.store.Box.Seal([]byte(number), "child.national_number:"+id.String())
		if err != nil {
			b.t.Fatal(err)
		}
		b.exec(`UPDATE child SET national_number = @n WHERE id = @id`, pgx.NamedArgs{"id": id, "n": sealed})
	}
	return id
}

// registration makes a confirmed registration with its first due, charged with the price.
func (b *fiscalBundle) registration(camp, child, parent uuid.UUID, price ...priceLine) (registration, due uuid.UUID) {
	b.t.Helper()
	detail, err := json.Marshal(price)
	if err != nil {
		b.t.Fatal(err)
	}
	var total civil.Cents
	for _, l := range price {
		total += l.Cents
	}
	registration = b.id(`
		INSERT INTO registration (submission_key, child_id, camp_id, registrant_id, payer_id, debtor_id, state, state_since, price_cents, price_detail, created_at, updated_at)
		VALUES (gen_random_uuid(), @child, @camp, @parent, @parent, @parent, 'confirmed', now(), @total, @detail, now(), now())
		RETURNING id`, pgx.NamedArgs{"child": child, "camp": camp, "parent": parent, "total": total, "detail": detail})
	due = b.due(registration, parent, nil)
	b.line(due, Charge, total, civil.NewDate(2025, 5, 1))
	return registration, due
}

// due opens a due; share is nil for the first one.
func (b *fiscalBundle) due(registration, payer uuid.UUID, share *int) uuid.UUID {
	b.t.Helper()
	b.serial++
	return b.id(`
		INSERT INTO due (registration_id, payer_id, debtor_id, communication, created_at, part_share)
		VALUES (@registration, @payer, @payer, lpad(@n::bigint::text, 12, '0'), now(), @share)
		RETURNING id`, pgx.NamedArgs{"registration": registration, "payer": payer, "n": b.serial, "share": share})
}

func (b *fiscalBundle) line(due uuid.UUID, kind Kind, cents civil.Cents, on civil.Date) {
	b.t.Helper()
	b.exec(`
		INSERT INTO ledger_line (due_id, registration_id, payer_id, debtor_id, kind, cents, label, source, actor, at)
		SELECT id, registration_id, payer_id, debtor_id, @kind, @cents, '', 'bank', 'test', @at
		FROM due
		WHERE id = @due`, pgx.NamedArgs{"due": due, "kind": kind, "cents": cents, "at": on.At(12*60, civil.Brussels)})
}

// came marks the sessions of the registration's camp in order: P present, A absent, - not marked.
func (b *fiscalBundle) came(registration uuid.UUID, marks string) {
	b.t.Helper()
	for i, m := range marks {
		if m == '-' {
			continue
		}
		b.exec(`
			INSERT INTO attendance (registration_id, session_id, present, marked_by, marked_at)
			SELECT r.id, s.id, @present, @by, now()
			FROM registration r
			JOIN camp_session s ON s.camp_id = r.camp_id
			WHERE r.id = @registration
			ORDER BY s.day
			LIMIT 1
			OFFSET @i
			ON CONFLICT (registration_id, session_id) DO UPDATE SET present = excluded.present`,
			pgx.NamedArgs{"registration": registration, "present": m == 'P', "by": b.by, "i": i})
	}
}

func (b *fiscalBundle) preview(year int) Preview {
	b.t.Helper()
	p, err := b.store.Preview(b.t.Context(), year)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b *fiscalBundle) issue(year int) Issued {
	b.t.Helper()
	done, err := b.store.IssueAttestations(b.t.Context(), tester, year, IssueOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	return done
}

func (b *fiscalBundle) attestation(id uuid.UUID) Attestation {
	b.t.Helper()
	a, err := b.store.Attestation(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// campPrice is a price of care alone.
func campPrice(cents civil.Cents) priceLine { return priceLine{Label: "price.camp", Cents: cents} }

// The synthetic national numbers of these tests.
const (
	numberAnne = "85073003328"
	numberMarc = "80010100305"
	numberLeo  = "17041512731"
	numberZoe  = "18033100278"
)
