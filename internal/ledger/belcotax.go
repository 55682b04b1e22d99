package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

// Fiche is one 281.86 in a file for Belcotax-on-web.
type Fiche struct {
	ID           uuid.UUID // of the attestation that it tells of: a withdrawal is told with what it withdraws
	Attestation  Attestation
	Number       int // f2009: of the fiche that was sent first, whatever replaced it since
	Treatment    int // f2028
	DebtorNumber household.NationalNumber
	ChildNumber  household.NationalNumber
}

// Sender is who sends a file to Belcotax-on-web, as the settings say it.
type Sender struct {
	Body    AttestationBody
	Phone   string
	Email   string
	Contact string
}

// Declaration is what a file for Belcotax-on-web holds.
type Declaration struct {
	Year      int
	Corrects  bool   // holds what changed since a file that was sent
	Reference string // of that file
	Sender    Sender
	Fiches    []Fiche
}

// Declaration returns what is to be sent for a year: every attestation that stands, or, once a file was sent, what has
// changed since: additions, changes and cancellations under the number that was sent.
func (s *Attestations) Declaration(ctx context.Context, year int) (Declaration, error) {
	if err := s.CheckYear(year); err != nil {
		return Declaration{}, err
	}
	d := Declaration{Year: year}
	v, err := camp.AllSettings(ctx, s.DB)
	if err != nil {
		return d, err
	}
	t, err := readTerms(ctx, s.DB)
	if err != nil {
		return d, err
	}
	d.Sender = Sender{Body: t.organiser, Phone: v["commune.phone"], Email: v["commune.email"], Contact: v["attestation.contact"]}
	all, err := s.OfYear(ctx, SeriesFiscal, year, 0, mostOfYear)
	if err != nil {
		return d, err
	}
	sent, reference, err := s.sent(ctx, year)
	if err != nil {
		return d, err
	}
	d.Corrects, d.Reference = len(sent) > 0, reference
	slices.Reverse(all) // by number
	for _, f := range fiches(all, sent) {
		if f.DebtorNumber, f.ChildNumber, err = s.Numbers(f.Attestation); err != nil {
			return d, err
		}
		d.Fiches = append(d.Fiches, f)
	}
	return d, nil
}

// mostOfYear bounds the attestations of a year: a town has thousands.
const mostOfYear = 1_000_000

// fiches decides what becomes of the attestations of a year, given in order of number, when those in sent were sent.
func fiches(all []Attestation, sent map[uuid.UUID]bool) []Fiche {
	byID := make(map[uuid.UUID]Attestation, len(all))
	for _, a := range all {
		byID[a.ID] = a
	}
	var list []Fiche
	for _, a := range all {
		if a.Replaced || sent[a.ID] {
			continue
		}
		// The newest and the oldest of those before it that were sent.
		var newest, oldest *Attestation
		for before := a.Replaces; before != nil; {
			one, ok := byID[*before]
			if !ok {
				break
			}
			if sent[one.ID] {
				if newest == nil {
					newest = &one
				}
				oldest = &one
			}
			before = one.Replaces
		}
		switch {
		case oldest != nil && a.Void():
			list = append(list, Fiche{ID: a.ID, Attestation: *newest, Number: oldest.Number, Treatment: TreatmentCancel})
		case oldest != nil:
			list = append(list, Fiche{ID: a.ID, Attestation: a, Number: oldest.Number, Treatment: TreatmentChange})
		case a.Void():
		case len(sent) > 0:
			list = append(list, Fiche{ID: a.ID, Attestation: a, Number: a.Number, Treatment: TreatmentAddition})
		default:
			list = append(list, Fiche{ID: a.ID, Attestation: a, Number: a.Number, Treatment: TreatmentNormal})
		}
	}
	return list
}

// sent returns the attestations that the files of a year told of which were sent, and the reference of the first file.
func (s *Attestations) sent(ctx context.Context, year int) (map[uuid.UUID]bool, string, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT f.attestations, x.reference
		FROM belcotax_sending x
		JOIN belcotax_file f ON f.id = x.file_id
		WHERE f.year = @year
		ORDER BY x.sent_at, f.id`,
		pgx.NamedArgs{"year": year})
	if err != nil {
		return nil, "", fmt.Errorf("reading what was sent for %d: %w", year, err)
	}
	all := map[uuid.UUID]bool{}
	var first, reference string
	var ids []uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&ids, &reference}, func() error {
		if first == "" {
			first = reference
		}
		for _, id := range ids {
			all[id] = true
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("reading what was sent for %d: %w", year, err)
	}
	return all, first, nil
}

// BelcotaxFile is a file that was made for Belcotax-on-web.
type BelcotaxFile struct {
	ID         uuid.UUID
	Year       int
	Corrects   bool
	Test       bool
	Fiches     int
	TotalCents civil.Cents
	CreatedAt  time.Time
	SentAt     *time.Time
	Reference  string // that Belcotax-on-web gave once it was sent
}

func belcotaxSealedAt(id uuid.UUID) string { return "belcotax_file.sealed:" + id.String() }

// KeepBelcotax keeps a file that was made, sealed, with the attestations that it tells of.
func (s *Attestations) KeepBelcotax(ctx context.Context, actor audit.Actor, d Declaration, test bool, body []byte) (uuid.UUID, error) {
	id := uuid.New()
	sealed, err := s.Box.Seal(body, belcotaxSealedAt(id))
	if err != nil {
		return id, fmt.Errorf("sealing a file for Belcotax: %w", err)
	}
	ids := make([]uuid.UUID, 0, len(d.Fiches))
	var total civil.Cents
	for _, f := range d.Fiches {
		ids = append(ids, f.ID)
		if f.Treatment != TreatmentCancel {
			total += f.Attestation.TotalCents
		}
	}
	sum := sha256.Sum256(body)
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO belcotax_file (id, year, corrects, test, attestations, total_cents, sealed, sha256, actor, created_at)
			VALUES (@id, @year, @corrects, @test, @ids, @total, @sealed, @sum, @actor, @now)`,
			pgx.NamedArgs{
				"id": id, "year": d.Year, "corrects": d.Corrects, "test": test, "ids": ids, "total": total, "sealed": sealed, "sum": sum[:],
				"actor": actor.String(), "now": s.Now(),
			})
		if err != nil {
			return fmt.Errorf("keeping a file for Belcotax: %w", err)
		}
		return audit.Record(ctx, tx, actor, "belcotax.made", "belcotax_file", id.String(), map[string]any{
			"year": d.Year, "fiches": len(d.Fiches), "corrects": d.Corrects, "test": test,
		})
	})
	return id, err
}

// BelcotaxFiles returns the files that were made for a year, the newest first.
func (s *Attestations) BelcotaxFiles(ctx context.Context, year int) ([]BelcotaxFile, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT f.id, f.year, f.corrects, f.test, cardinality(f.attestations) AS fiches, f.total_cents, f.created_at,
		  x.sent_at, coalesce(x.reference, '') AS reference
		FROM belcotax_file f
		LEFT JOIN belcotax_sending x ON x.file_id = f.id
		WHERE f.year = @year
		ORDER BY f.created_at DESC, f.id
		LIMIT 50`,
		pgx.NamedArgs{"year": year})
	if err != nil {
		return nil, fmt.Errorf("reading the files for Belcotax of %d: %w", year, err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[BelcotaxFile])
	if err != nil {
		return nil, fmt.Errorf("reading the files for Belcotax of %d: %w", year, err)
	}
	return all, nil
}

// BelcotaxBody returns a kept file, and the year that it is about; NotFound without. The audit keeps who read it.
func (s *Attestations) BelcotaxBody(ctx context.Context, actor audit.Actor, id uuid.UUID) (body []byte, year int, err error) {
	var sealed, sum []byte
	err = s.DB.QueryRow(ctx, `
		SELECT year, sealed, sha256
		FROM belcotax_file
		WHERE id = @id`,
		pgx.NamedArgs{"id": id}).Scan(&year, &sealed, &sum)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, 0, problem.NotFound("belcotax.not_found")
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading file %s for Belcotax: %w", id, err)
	}
	if body, err = s.Box.Open(sealed, belcotaxSealedAt(id)); err != nil {
		return nil, 0, fmt.Errorf("opening file %s for Belcotax: %w", id, err)
	}
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return nil, 0, fmt.Errorf("file %s for Belcotax does not match its hash", id)
	}
	return body, year, audit.Record(ctx, s.DB, actor, "belcotax.read", "belcotax_file", id.String(), nil)
}

// maxReference is how long v0026_referte may be.
const maxReference = 6

// MarkSent notes that Belcotax-on-web has taken a file, and the reference that it gave: what follows is a correction of
// it. Invalid for a test, for a file that something was sent after, and without a reference.
func (s *Attestations) MarkSent(ctx context.Context, actor audit.Actor, id uuid.UUID, reference string) error {
	reference = strings.TrimSpace(reference)
	var p problem.Fields
	if reference == "" || len(reference) > maxReference {
		p.Add("reference", "belcotax.reference_bad", maxReference)
		return p.Err()
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var year int
		var test, late bool
		err := tx.QueryRow(ctx, `
			SELECT f.year, f.test,
			  EXISTS (
			    SELECT 1
			    FROM belcotax_sending x
			    JOIN belcotax_file o ON o.id = x.file_id
			    WHERE o.year = f.year AND (o.created_at >= f.created_at OR x.sent_at >= f.created_at)
			  )
			FROM belcotax_file f
			WHERE f.id = @id
			FOR UPDATE OF f`,
			pgx.NamedArgs{"id": id}).Scan(&year, &test, &late)
		if errors.Is(err, pgx.ErrNoRows) {
			return problem.NotFound("belcotax.not_found")
		}
		if err != nil {
			return fmt.Errorf("reading file %s for Belcotax: %w", id, err)
		}
		if test || late {
			p.Add("reference", "belcotax.not_to_send")
			return p.Err()
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO belcotax_sending (file_id, reference, actor, sent_at)
			VALUES (@id, @reference, @actor, @now)`,
			pgx.NamedArgs{"id": id, "reference": reference, "actor": actor.String(), "now": s.Now()})
		if err != nil {
			return fmt.Errorf("noting that file %s was sent: %w", id, err)
		}
		return audit.Record(ctx, tx, actor, "belcotax.sent", "belcotax_file", id.String(), map[string]any{"year": year})
	})
}
