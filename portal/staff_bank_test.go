package portal

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"ribambelle/internal/bank"
	"ribambelle/internal/enrol"
)

// bankFile writes a CAMT.053 with an entry for each line of "cents|communication|free text|name".
func bankFile(number int, closing string, lines ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>
		<ElctrncSeqNb>%d</ElctrncSeqNb><Acct><Id><IBAN>BE15091000000130</IBAN></Id><Ccy>EUR</Ccy></Acct>
		<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">0.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2027-05-02</Dt></Dt></Bal>
		<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">%s</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2027-05-03</Dt></Dt></Bal>`, number, closing)
	for i, l := range lines {
		p := strings.Split(l, "|")
		var remittance string
		if p[1] != "" {
			remittance += "<Strd><CdtrRefInf><Ref>" + p[1] + "</Ref></CdtrRefInf></Strd>"
		}
		if p[2] != "" {
			remittance += "<Ustrd>" + p[2] + "</Ustrd>"
		}
		fmt.Fprintf(&b, `<Ntry><Amt Ccy="EUR">%s</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2027-05-03</Dt></BookgDt>
			<AcctSvcrRef>R%d-%d</AcctSvcrRef><NtryDtls><TxDtls><RltdPties><Dbtr><Pty><Nm>%s</Nm></Pty></Dbtr></RltdPties><RmtInf>%s</RmtInf></TxDtls></NtryDtls></Ntry>`,
			p[0], number, i, p[3], remittance)
	}
	b.WriteString(`</Stmt></BkToCstmrStmt></Document>`)
	return b.Bytes()
}

// bring sends a file to the bank's page; a nil one sends the form without.
func (w *browser) bring(name string, raw []byte) answer {
	w.b.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	if raw != nil {
		part, err := m.CreateFormFile("file", name)
		if err == nil {
			_, err = part.Write(raw)
		}
		if err != nil {
			w.b.t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		w.b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.b.server.URL+bankPath, &body)
	if err != nil {
		w.b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", m.FormDataContentType())
	res, err := w.c.Do(r)
	if err != nil {
		w.b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	doc, err := goquery.NewDocumentFromReader(res.Body)
	if err != nil {
		w.b.t.Fatal(err)
	}
	return answer{Response: res, doc: doc}
}

func TestStaffBank(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	finance, _ := d.person("finance@example.test", "Fabien Dumont", "finance")
	if err := d.config.Enrol.Decide(context.Background(), d.agentAs.ID, d.asked.ID, true, ""); err != nil {
		t.Fatal(err)
	}
	var communication string
	if err := d.db.QueryRow(context.Background(), `SELECT communication FROM due`).Scan(&communication); err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]int{"agent": http.StatusForbidden, "parent": http.StatusNotFound} {
		person := map[string]*browser{"agent": d.agent, "parent": d.again("sophie@example.test")}[who]
		if got := person.get(bankPath).StatusCode; got != want {
			t.Errorf("%s sees the bank: %d, want %d", who, got, want)
		}
		if got := person.bring("x.xml", bankFile(1, "0.00")).StatusCode; got != want {
			t.Errorf("%s brings a file: %d, want %d", who, got, want)
		}
	}
	finance.see(bankPath).has(t, "#attente", "0 mouvement")

	// What is no statement is told beside the input, with everything as it was.
	for name, raw := range map[string][]byte{
		"Choisissez le fichier": nil, "ni un CODA ni un CAMT.053": []byte("Bonjour"), "vide": []byte(" "), "trop grand": bytes.Repeat([]byte("0"), bank.MaxFile+1),
	} {
		bad := finance.bring("x.txt", raw)
		if bad.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d, want 422", name, bad.StatusCode)
		}
		bad.has(t, "#f-file-error", name)
	}

	// Money under a likeness waits, with whom it may be from; nothing is booked.
	file := bankFile(42, "130.00", "65.00||stage de Léa Lambert|LAMBERT SOPHIE", "50.00||un don|Personne", "10.00||encore|Personne")
	at := finance.bring("mai.xml", file).to(t, bankPath+"/fichiers/")
	read := finance.see(at)
	read.has(t, ".kpi", "3 mouvements nouveaux 0 paiement enregistré 3 à traiter 0 classé")
	read.has(t, ".notice", "ancien solde 0,00 €, mouvements 125,00 €, nouveau solde 130,00 €")
	read.has(t, "main", "Fabien Dumont")
	page := finance.see(bankPath)
	page.has(t, "#attente", "3 mouvements à traiter")
	page.has(t, "article:first-of-type", "probable à 85 %")
	page.has(t, "article:first-of-type", "même montant, nom du payeur, nom de l’enfant")
	if got := page.text(".side a[href='" + bankPath + "'] .c"); got != "3" {
		t.Errorf("the menu counts %q, want 3", got)
	}
	if d.agent.see("/gestion/").doc.Find(".side a[href='"+bankPath+"']").Length() != 0 {
		t.Error("the agent's menu leads to the bank")
	}
	if got := d.state(d.asked.ID); got != enrol.AwaitingPayment {
		t.Fatalf("the request is %s before anybody decided", got)
	}

	// The same file changes nothing.
	finance.see(finance.bring("mai.xml", file).to(t, bankPath+"/fichiers/")).has(t, ".notice", "rien n’a changé")
	if n := d.count(`SELECT count(*) FROM bank_entry`); n != 3 {
		t.Errorf("%d entries after the same file, want 3", n)
	}

	// A wrong communication is told beside its own movement.
	other := page.doc.Find("article").Eq(1)
	action, _ := other.Find("details form").Attr("action")
	bad := finance.send(action, "communication", "123")
	if bad.StatusCode != http.StatusUnprocessableEntity || bad.doc.Find("details[open] #f-communication").Length() != 1 || bad.doc.Find("details[open] input[value='123']").Length() != 1 {
		t.Errorf("a wrong communication: %d\n%s", bad.StatusCode, bad.text("main"))
	}

	// One click books; a second one is told so.
	form := page.doc.Find("article").First().Find("form").First()
	action, _ = form.Attr("action")
	due, _ := form.Find("[name=due]").Attr("value")
	finance.send(action, "due", due).to(t, bankPath)
	finance.see(bankPath).has(t, ".notice.ok", "Le paiement est enregistré")
	if got := d.state(d.asked.ID); got != enrol.Confirmed {
		t.Errorf("matched by hand, the request is %s", got)
	}
	if got := finance.send(action, "due", due).StatusCode; got != http.StatusConflict {
		t.Errorf("a second click: %d, want 409", got)
	}
	finance.see("/gestion/inscriptions/"+d.asked.ID.String()).has(t, "#money ~ table.money:last-of-type", "65,00 €")

	// Another is matched by its communication, and is too much; the last one is classed and taken back.
	other = finance.see(bankPath).doc.Find("article").First()
	action, _ = other.Find("details form").Attr("action")
	finance.send(action, "communication", communication).to(t, bankPath)
	finance.see("/gestion/taches").has(t, ".tasks", "50,00 €")
	action, _ = finance.see(bankPath).doc.Find("article").First().Find("form").Last().Attr("action")
	finance.send(action).to(t, bankPath)
	finance.see(bankPath).has(t, ".empty", "Tout ce que la banque a dit est traité")
	link, _ := finance.see(bankPath).doc.Find("table.rows a").First().Attr("href")
	one := finance.see(link)
	one.has(t, "tbody", "lié voir l’inscription payé deux fois")
	action, _ = one.doc.Find("tbody form").Attr("action")
	finance.send(action).to(t, bankPath)
	finance.see(bankPath).has(t, "#attente", "1 mouvement")

	// A structured communication needs nobody.
	finance.see(finance.bring("juin.xml", bankFile(43, "1.00", "1.00|"+communication+"||Sophie")).to(t, bankPath+"/fichiers/")).has(t, ".kpi", "1 paiement enregistré")
	for _, path := range []string{"/fichiers/", "/extraits/"} {
		if got := finance.get(bankPath + path + d.asked.ID.String()).StatusCode; got != http.StatusNotFound {
			t.Errorf("%s of another kind: %d", path, got)
		}
	}
	if strings.Contains(d.log.String(), "LAMBERT") {
		t.Error("the log names a payer")
	}
}
