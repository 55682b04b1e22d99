package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/problem"
	"ribambelle/internal/seal"
)

// The series of attestations; each is numbered per year.
const (
	SeriesFiscal   = "attestation" // 281.86
	SeriesMutuelle = "mutuelle"
)

// What an attestation does to the one before it, as Belcotax codes it in f2028.
const (
	TreatmentNormal   = 0
	TreatmentChange   = 1
	TreatmentAddition = 2 // only in a file: new since the file that was sent
	TreatmentCancel   = 3
)

// MostLines is how many periods one 281.86 holds.
const MostLines = 4

// FirstFiscalYear is the first income year of the present model of the 281.86 (Moniteur belge, 27 January 2022).
const FirstFiscalYear = 2022

// AttestationPerson is a debtor or a child on an attestation. Number is the national number, sealed for this
// attestation; empty when it was not known.
type AttestationPerson struct {
	FirstName string
	LastName  string
	Number    []byte     `json:",omitempty"`
	BirthDate civil.Date `json:",omitzero"` // of a child
	Street    string
	Postcode  string
	City      string
}

// Name returns the first and last name.
func (p AttestationPerson) Name() string { return strings.TrimSpace(p.FirstName + " " + p.LastName) }

// Town returns the postcode with the municipality.
func (p AttestationPerson) Town() string { return strings.TrimSpace(p.Postcode + " " + p.City) }

// AttestationBody is an organiser or a certifier.
type AttestationBody struct {
	Name     string
	BCE      string // 10 digits
	Street   string
	Postcode string
	City     string
}

// Town returns the postcode with the municipality.
func (b AttestationBody) Town() string { return strings.TrimSpace(b.Postcode + " " + b.City) }

// AttestationLine is one period: a camp, as far as it was attended and the child young enough.
type AttestationLine struct {
	RegistrationID uuid.UUID
	Camp           string
	From           civil.Date // first and last day of care
	Until          civil.Date
	Days           int         // distinct days that the child came
	Tariff         civil.Cents // of a day; 0 leaves it blank
	Cents          civil.Cents // received in the year
}

// same reports whether two lines certify the same. The tariff is left out: staff who enter a maximum late must not make
// every attestation of the year another one.
func (l AttestationLine) same(o AttestationLine) bool {
	return l.RegistrationID == o.RegistrationID && l.From == o.From && l.Until == o.Until && l.Days == o.Days && l.Cents == o.Cents
}

// AttestationContent is everything that is printed, frozen at issue.
type AttestationContent struct {
	Reference     string // ATT-2026-00012
	Replaces      string `json:",omitempty"` // reference of the one that this one corrects or withdraws
	IssuedOn      civil.Date
	Organiser     AttestationBody
	Certification int // f86_2031: 0 not applicable, 1 ONE, 2 public authority, 3 abroad, 4 school
	Certifier     AttestationBody
	ValidFrom     civil.Date `json:",omitzero"`
	ValidUntil    civil.Date `json:",omitzero"`
	Debtor        AttestationPerson
	Child         AttestationPerson
	Lines         []AttestationLine // none when it withdraws
	Signatory     string
	Capacity      string
	Proxy         bool
	Mutuelle      *MutuelleContent `json:",omitempty"`
}

// Attestation is a numbered, immutable document.
type Attestation struct {
	ID             uuid.UUID
	Series         string
	Year           int
	Number         int
	DebtorID       uuid.UUID
	ChildID        uuid.UUID
	RegistrationID *uuid.UUID // of a mutuelle
	Treatment      int
	Replaces       *uuid.UUID
	IssuedAt       time.Time
	IssuedBy       string
	TotalCents     civil.Cents
	Content        AttestationContent
	Replaced       bool // a newer one stands in its place
}

// Void reports whether the attestation withdraws another and certifies nothing.
func (a Attestation) Void() bool { return a.Treatment == TreatmentCancel }

// Attestations computes, issues and keeps attestations. It is safe for concurrent use.
type Attestations struct {
	DB         *db.DB
	Now        civil.Clock
	Box        *seal.Box // seals what shows national numbers
	Households *household.Store
	Jobs       job.Inserter // tells who gets one
}

// NewAttestations returns the store of attestations on d.
func NewAttestations(d *db.DB, now civil.Clock, box *seal.Box, households *household.Store, jobs job.Inserter) *Attestations {
	return &Attestations{DB: d, Now: now, Box: box, Households: households, Jobs: jobs}
}

func (s *Attestations) today() civil.Date { return civil.DateOf(s.Now(), civil.Brussels) }

// CheckYear returns Invalid for a year that has no 281.86 of the present model, or that has not begun.
func (s *Attestations) CheckYear(year int) error {
	if year < FirstFiscalYear || year > s.today().Year {
		return problem.Invalid("attestation.year_out_of_range", FirstFiscalYear, s.today().Year)
	}
	return nil
}

func numberSealedAt(id uuid.UUID, who string) string {
	return "attestation.content:" + id.String() + ":" + who
}

func (s *Attestations) sealNumber(id uuid.UUID, who string, n household.NationalNumber) ([]byte, error) {
	if n.IsZero() {
		return nil, nil
	}
	sealed, err := s.Box.Seal([]byte(n.Digits()), numberSealedAt(id, who))
	if err != nil {
		return nil, fmt.Errorf("sealing a number of attestation %s: %w", id, err)
	}
	return sealed, nil
}

// Numbers returns the national numbers of the debtor and the child in clear, zero for one that was not known: for the
// document and Belcotax alone.
func (s *Attestations) Numbers(a Attestation) (debtor, child household.NationalNumber, err error) {
	if debtor, err = s.openNumber(a.ID, "debtor", a.Content.Debtor.Number); err != nil {
		return debtor, child, err
	}
	child, err = s.openNumber(a.ID, "child", a.Content.Child.Number)
	return debtor, child, err
}

func (s *Attestations) openNumber(id uuid.UUID, who string, sealed []byte) (household.NationalNumber, error) {
	if len(sealed) == 0 {
		return household.NationalNumber{}, nil
	}
	digits, err := s.Box.Open(sealed, numberSealedAt(id, who))
	if err != nil {
		return household.NationalNumber{}, fmt.Errorf("opening a number of attestation %s: %w", id, err)
	}
	return household.ParseNationalNumber(string(digits))
}

// terms is what settings say about attestations.
type terms struct {
	prefix    string
	bus       bool // counts as care
	unmarked  bool // a day without a mark counts as attended
	organiser AttestationBody
	head      AttestationContent // what is the same on each
	activity  string
	one       string
	phone     string
	email     string
	maximum   civil.Cents // of the year, per day and child; 0 while nobody entered it
}

func readTerms(ctx context.Context, q db.Querier) (terms, error) {
	v, err := camp.AllSettings(ctx, q)
	if err != nil {
		return terms{}, err
	}
	postcode, city := splitTown(v["commune.city"])
	t := terms{
		prefix: v["attestation.prefix"], bus: v["attestation.bus"] == "oui", unmarked: v["attestation.unmarked"] == "oui",
		organiser: AttestationBody{Name: v["commune.name"], BCE: digits(v["commune.bce"]), Street: v["commune.street"], Postcode: postcode, City: city},
		activity:  v["attestation.activity"], one: v["attestation.one"], phone: v["commune.phone"], email: v["commune.email"],
	}
	t.head = AttestationContent{
		Organiser: t.organiser, Certifier: t.organiser, Signatory: v["attestation.signatory"], Capacity: v["attestation.capacity"],
		Proxy: v["attestation.proxy"] == "oui",
	}
	if name := v["attestation.certifier_name"]; name != "" {
		postcode, city := splitTown(v["attestation.certifier_city"])
		t.head.Certifier = AttestationBody{Name: name, BCE: digits(v["attestation.certifier_bce"]), Street: v["attestation.certifier_street"], Postcode: postcode, City: city}
	}
	if code := v["attestation.certification"]; len(code) == 1 && code >= "0" && code <= "4" {
		t.head.Certification = int(code[0] - '0')
	}
	if t.head.Certification == 0 {
		t.head.Certifier = AttestationBody{}
	}
	t.head.ValidFrom, _ = civil.ParseDate(v["attestation.certified_from"])
	t.head.ValidUntil, _ = civil.ParseDate(v["attestation.certified_until"])
	return t, nil
}

// splitTown parts "4999 Valmont" into its postcode and its municipality.
func splitTown(s string) (postcode, city string) {
	first, rest, ok := strings.Cut(strings.TrimSpace(s), " ")
	if ok && len(first) == 4 && strings.Trim(first, "0123456789") == "" {
		return first, strings.TrimSpace(rest)
	}
	return "", strings.TrimSpace(s)
}

// digits drops everything else: "BE 0207.354.920" is 0207354920.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}
