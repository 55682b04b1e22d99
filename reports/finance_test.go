package reports

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/xuri/excelize/v2"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
)

// money books some lines on the dues of the bundle's families, one with a name that looks like a formula.
func (b *bundle) money() {
	b.t.Helper()
	b.family()
	b.exec(`UPDATE guardian SET last_name = '=cmd|'' /C calc''!A0' WHERE last_name = 'Lambert'`, nil)
	b.exec(`
		INSERT INTO due (registration_id, payer_id, debtor_id, communication, created_at)
		SELECT id, payer_id, debtor_id, lpad((row_number() OVER (ORDER BY id))::text, 10, '0') || '97', created_at
		FROM registration`, nil)
	for i, line := range []struct {
		kind, source, label string
		cents               int
	}{
		{"charge", "tariff", "price.camp", 8000},
		{"reduction", "tariff", "Réduction fratrie", 1000},
		{"payment", "mollie", "ledger.payment", 2500},
		{"payment", "cash", "ledger.payment", 500},
		{"refund", "bank", "ledger.payment", 200},
		{"fee", "dunning", "Frais de rappel", 750},
		{"write_off", "staff", "Irrécouvrable", 50},
	} {
		b.exec(`
			INSERT INTO ledger_line (due_id, registration_id, payer_id, debtor_id, kind, cents, label, source, actor, at)
			SELECT id, registration_id, payer_id, debtor_id, @kind, @cents, @label, @source, 'test', @at
			FROM due`,
			pgx.NamedArgs{"kind": line.kind, "cents": line.cents, "label": line.label, "source": line.source, "at": now.AddDate(0, 0, -20*i)})
	}
}

func (b *bundle) cents(sql string) (c civil.Cents) {
	b.t.Helper()
	if err := b.db.QueryRow(b.t.Context(), sql).Scan(&c); err != nil {
		b.t.Fatal(err)
	}
	return c
}

// column sums a column of a workbook's first sheet without its last row, and returns what the last row says.
func column(t *testing.T, body []byte, name string) (sum, total civil.Cents) {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sheet := f.GetSheetName(0)
	rows, err := f.GetRows(sheet, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	at := -1
	for i, head := range rows[0] {
		if head == name {
			at = i
		}
	}
	if at < 0 {
		t.Fatalf("no column %q in %q", name, rows[0])
	}
	for i, row := range rows[1:] {
		if at >= len(row) || row[at] == "" {
			continue
		}
		v, err := strconv.ParseFloat(row[at], 64)
		if err != nil {
			t.Fatal(err)
		}
		c, err := civil.FromFloat(v)
		if err != nil {
			t.Fatal(err)
		}
		if i == len(rows)-2 {
			total = c
			formula, err := f.GetCellFormula(sheet, func() string { n, _ := excelize.CoordinatesToCellName(at+1, i+2); return n }())
			if err != nil || !strings.HasPrefix(formula, "SUM(") {
				t.Errorf("the total of %s is %q, %v", name, formula, err)
			}
			continue
		}
		sum += c
	}
	return sum, total
}

// TestFinanceDocuments makes every document about money, opens it, and compares its sums with the ledger.
func TestFinanceDocuments(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.money()
	chief := audit.Account(b.account("Nadine Roi", "finance"))
	agent := audit.Account(b.account("Anne Claes", "agent"))
	year := Params{From: civil.NewDate(2026, 1, 1), To: civil.NewDate(2026, 12, 31)}
	const signed = `SELECT sum(CASE WHEN kind IN ('charge', 'fee', 'refund') THEN cents ELSE -cents END)::bigint FROM ledger_line`
	raised := b.cents(`SELECT sum(cents)::bigint FROM ledger_line WHERE kind IN ('charge', 'fee', 'refund')`)
	lowered := b.cents(`SELECT sum(cents)::bigint FROM ledger_line WHERE kind NOT IN ('charge', 'fee', 'refund')`)
	for _, tt := range []struct {
		document, column string
		want             civil.Cents
	}{
		{"impayes", "Total dû", b.cents(signed)},
		{"journal", "Dû en plus", raised},
		{"journal", "Dû en moins", lowered},
		{"encaissements", "Net", b.cents(`SELECT sum(CASE kind WHEN 'payment' THEN cents ELSE -cents END)::bigint FROM ledger_line WHERE kind IN ('payment', 'refund')`)},
		{"budget", "Variation du dû", b.cents(signed)},
		{"comptabilite", "Débit", raised + lowered},
		{"comptabilite", "Crédit", raised + lowered},
	} {
		f, err := b.store.Produce(t.Context(), tt.document, year, chief)
		if err != nil {
			t.Fatalf("%s: %v", tt.document, err)
		}
		show(t, f.Name, f.Body)
		if sum, total := column(t, f.Body, tt.column); sum != tt.want || total != tt.want {
			t.Errorf("%s, %s: the rows amount to %d, the total says %d, the ledger %d", tt.document, tt.column, sum, total, tt.want)
		}
		if all := unzipped(t, f.Body); bytes.Contains(all, []byte("<f>cmd")) {
			t.Errorf("%s: a name became a formula", tt.document)
		}
		if _, err := b.store.Produce(t.Context(), tt.document, year, agent); !problem.Is(err, problem.KindForbidden) {
			t.Errorf("an agent gets %s: %v", tt.document, err)
		}
	}
	if n := b.cents(`SELECT count(*) FROM audit WHERE action = 'report.produced'`); n != 7 {
		t.Errorf("the audit holds %d documents, want 7", n)
	}
	for _, bad := range []Params{{From: year.To, To: year.From}, {From: year.From}, {From: year.From, To: civil.NewDate(2080, 1, 1)}} {
		if _, err := b.store.Produce(t.Context(), "journal", bad, chief); !problem.Is(err, problem.KindInvalid) {
			t.Errorf("the period %v–%v gave %v, want invalid", bad.From, bad.To, err)
		}
	}
}

// TestAccountantCSV reads the export back as an accountant's program does.
func TestAccountantCSV(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.money()
	f, err := b.store.Produce(t.Context(), "comptabilite", Params{From: civil.NewDate(2026, 1, 1), To: civil.NewDate(2026, 12, 31), CSV: true}, audit.Command("test"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Name != "comptabilite-2026-01-01-2026-12-31.csv" || !bytes.HasPrefix(f.Body, []byte("\ufeffDate;")) {
		t.Errorf("%s begins %q", f.Name, f.Body[:20])
	}
	r := csv.NewReader(bytes.NewReader(f.Body))
	r.Comma = ';'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var debit, credit civil.Cents
	for _, row := range rows[1:] {
		for i, sum := range map[int]*civil.Cents{3: &debit, 4: &credit} {
			if row[i] == "" {
				continue
			}
			c, err := civil.ParseEuros(strings.Replace(row[i], ",", ".", 1))
			if err != nil {
				t.Fatal(err)
			}
			*sum += c
		}
		if strings.HasPrefix(row[6], "=") {
			t.Errorf("the payer %q is a formula", row[6])
		}
	}
	if lines := b.cents(`SELECT count(*) FROM ledger_line`); debit != credit || debit == 0 || civil.Cents(len(rows)-1) != 2*lines {
		t.Errorf("%d rows of %d lines, debit %d, credit %d", len(rows)-1, lines, debit, credit)
	}
}
