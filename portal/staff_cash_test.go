package portal

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"ribambelle/internal/enrol"
)

// TestCashDesk runs the counter through a day: coins refused with the way to open the desk, taken once it is open, a
// slip taken back, the day counted and closed, its workbook, and the money brought to the bank.
func TestCashDesk(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if err := d.config.Enrol.Decide(context.Background(), d.agentAs.ID, d.asked.ID, true, ""); err != nil {
		t.Fatal(err)
	}
	organiser, _ := d.person("orga@example.test", "Olga", "organiser")
	for who, want := range map[*browser]int{organiser: http.StatusForbidden, d.again("sophie@example.test"): http.StatusNotFound} {
		if got := who.get(cashPath).StatusCode; got != want {
			t.Errorf("somebody sees the desk: %d, want %d", got, want)
		}
	}
	reg := "/gestion/inscriptions/" + d.asked.ID.String()
	done := "/gestion/guichet/inscriptions/" + d.asked.ID.String()
	key := uuid.NewString()
	pay := []string{"from", "guichet", "key", key, "amount", "65", "source", "cash"}
	bad := d.agent.send(reg+"/paiement", pay...)
	if bad.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("coins without a desk: %d", bad.StatusCode)
	}
	bad.has(t, "#f-source-error, .error", "La caisse n’est pas ouverte")
	way, ok := bad.doc.Find(`a[href^="/gestion/caisse?suite="]`).Attr("href")
	if !ok {
		t.Fatalf("no way to open the desk: %s", bad.text("main"))
	}
	if v, _ := bad.doc.Find("#f-amount").Attr("value"); v != "65" {
		t.Errorf("the amount is shown again as %q", v)
	}

	// Opening leads back to the family, and twice is once.
	desk := d.agent.see(way)
	next, _ := desk.doc.Find("input[name=next]").Attr("value")
	open := []string{"key", uuid.NewString(), "next", next, "desk", "Guichet", "float", "50"}
	for range 2 {
		d.agent.send(cashPath, open...).to(t, done)
	}
	if n := d.count(`SELECT count(*) FROM cash_day`); n != 1 {
		t.Errorf("%d days opened", n)
	}
	wrong := d.agent.send(cashPath, "key", uuid.NewString(), "desk", "", "float", "x")
	if wrong.StatusCode != http.StatusUnprocessableEntity || wrong.doc.Find("#f-float-error").Length() != 1 || wrong.doc.Find("#f-desk").Length() != 1 {
		t.Errorf("a wrong opening: %d %s", wrong.StatusCode, wrong.text("main"))
	}
	for range 2 {
		d.agent.send(reg+"/paiement", pay...).to(t, done)
	}
	if got := d.state(d.asked.ID); got != enrol.Confirmed {
		t.Errorf("paid in coins it is %s", got)
	}
	link, _ := d.agent.see(cashPath).doc.Find("section.panel h2 a").Attr("href")
	day := d.agent.see(link)
	day.has(t, "tfoot", "115,00 €")
	day.has(t, "#lignes ~ .panel tbody", "R-2027-00001")
	receipt, _ := day.doc.Find(`a[href^="/gestion/recus/"]`).Attr("href")
	paper := d.agent.see(receipt)
	paper.has(t, "h1", "Reçu R-2027-00001")
	paper.has(t, ".answers", "65,00 €")
	paper.has(t, ".answers", "Sophie Lambert")
	d.agent.see(reg+"/recu").has(t, "main", "R-2027-00001")

	// A slip of the keyboard is taken back with its reason, and paid again.
	action, _ := day.doc.Find("tbody details form").Attr("action")
	line, _ := day.doc.Find("tbody details [name=line]").Attr("value")
	if a := d.agent.send(action, "line", line, "reason", ""); a.StatusCode != http.StatusUnprocessableEntity || a.doc.Find("details[open] #f-reason").Length() != 1 {
		t.Errorf("without a reason: %d", a.StatusCode)
	}
	d.agent.send(action, "line", line, "reason", "mauvais montant").to(t, link)
	d.agent.see(link).has(t, "tfoot", "50,00 €")
	d.agent.see(receipt).has(t, ".notice.stop", "annulé")
	d.agent.see("/gestion/taches").has(t, ".tasks", "65,00 €")
	d.agent.send(reg+"/paiement", "from", "guichet", "key", uuid.NewString(), "amount", "65", "source", "cash").to(t, done)

	// The workbook says the same as the page, with amounts that a spreadsheet adds up.
	book, err := excelize.OpenReader(strings.NewReader(d.agent.see(link + ".xlsx").body))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := book.GetRows("Caisse", excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, row := range rows {
		seen = append(seen, strings.Join(row, "|"))
	}
	sheet := strings.Join(seen, "\n")
	for _, want := range []string{"R-2027-00001|", "R-2027-00002|", "R-2027-00003|", "|espèces|65|", "Doit être dans le tiroir|||115"} {
		if !strings.Contains(sheet, want) {
			t.Errorf("the workbook lacks %q:\n%s", want, sheet)
		}
	}

	// Counted by pieces, a difference needs words; then it is closed and changes no more.
	close := []string{"key", uuid.NewString(), "p5000", "2", "p1000", "1", "p200", "2", "left", "50"}
	missing := d.agent.send(link+"/fermer", close...)
	if missing.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("a difference without words: %d", missing.StatusCode)
	}
	missing.has(t, "#f-why-error", "-1,00 €")
	if v, _ := missing.doc.Find("#p5000").Attr("value"); v != "2" {
		t.Errorf("the notes are shown again as %q", v)
	}
	for range 2 {
		d.agent.send(link+"/fermer", append(close, "why", "Un euro rendu en trop")...).to(t, link)
	}
	closed := d.agent.see(link)
	closed.has(t, "main", "Un euro rendu en trop")
	closed.has(t, "main", "2 × 50 €, 1 × 10 €, 2 × 2 €")
	if n := closed.doc.Find("main form[method=post]").Length(); n != 0 {
		t.Errorf("%d forms on a closed day", n)
	}
	if got := d.agent.send(link+"/reprendre", "line", line, "reason", "x").StatusCode; got != http.StatusConflict {
		t.Errorf("a closed day is changed: %d", got)
	}
	d.agent.see(cashPath+"/historique").has(t, "tbody", "-1,00 €")

	// The rest goes to the bank.
	page := d.agent.see(cashPath)
	page.has(t, "#banque ~ form", "64,00 €")
	id, _ := page.doc.Find("#banque ~ form [name=day]").Attr("value")
	if a := d.agent.send(cashPath+"/depots", "key", uuid.NewString(), "on_day", "4", "on_month", "5", "on_year", "2027"); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("nothing brought: %d", a.StatusCode)
	}
	today := d.config.Now()
	d.agent.send(cashPath+"/depots", "key", uuid.NewString(), "day", id, "on_day", today.Format("2"), "on_month", today.Format("1"), "on_year", today.Format("2006"), "reference", "SAC-7").to(t, cashPath)
	d.agent.see(cashPath).has(t, "#depots ~ .panel tbody", "64,00 €SAC-7")
}
