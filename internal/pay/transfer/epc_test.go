package transfer

import (
	"bytes"
	"errors"
	"image/png"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"
	"pgregory.net/rapid"
	"rsc.io/qr"

	"ribambelle/internal/civil"
	"ribambelle/internal/pay/qrcode"
)

// commune is a transfer as the payment page draws it.
var commune = EPC{Name: "COMMUNE DE TESTVILLE", IBAN: "BE15 0910 0000 0130", Cents: 6000, Reference: "202600000192"}

// TestOfficialVector is example 2 of EPC069-12 v2.1, which writes 12,30 € with one decimal.
func TestOfficialVector(t *testing.T) {
	t.Parallel()
	e := EPC{Name: "François D'Alsace S.A.", IBAN: "FR1420041010050500013M02606", Cents: 1230, Text: "Client:Marie Louise La Lune", Latin1: true}
	got, err := e.payload("12.3")
	if err != nil {
		t.Fatal(err)
	}
	want := "BCD\n002\n2\nSCT\n\nFran\xe7ois D'Alsace S.A.\nFR1420041010050500013M02606\nEUR12.3\n\n\nClient:Marie Louise La Lune"
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 103 {
		t.Errorf("%d bytes (-want +got):\n%s", len(got), diff)
	}
	ours, err := e.Payload()
	if err != nil || !strings.Contains(ours, "\nEUR12.30\n") {
		t.Errorf("we write %q, %v, want two decimals", ours, err)
	}
}

func TestPayload(t *testing.T) {
	t.Parallel()
	bare, err := commune.Payload()
	if want := "BCD\n002\n1\nSCT\n\nCOMMUNE DE TESTVILLE\nBE15091000000130\nEUR60.00\n\n202600000192"; err != nil || bare != want || len(bare) != 75 {
		t.Errorf("bare: %q (%d bytes), %v", bare, len(bare), err)
	}
	printed := commune
	printed.Reference = Communication("202600000192").String()
	if got, err := printed.Payload(); err != nil || len(got) != 83 || !strings.HasSuffix(got, "\n\n+++202/6000/00192+++") {
		t.Errorf("printed: %q (%d bytes), %v", got, len(got), err)
	}
	long := commune
	long.Name = strings.Repeat("é", 90)
	if got, err := long.Payload(); err != nil || !strings.Contains(got, "\n"+strings.Repeat("é", 70)+"\n") {
		t.Errorf("a long name: %q, %v", got, err)
	}
}

func TestPayloadRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*EPC){
		"no name":        func(e *EPC) { e.Name = " \n" },
		"no account":     func(e *EPC) { e.IBAN = "" },
		"wrong account":  func(e *EPC) { e.IBAN = "BE15091000000131" },
		"nothing":        func(e *EPC) { e.Cents = 0 },
		"less":           func(e *EPC) { e.Cents = -1 },
		"too much":       func(e *EPC) { e.Cents = maxEPCCents + 1 },
		"short BIC":      func(e *EPC) { e.BIC = "GKCC" },
		"both":           func(e *EPC) { e.Text = "merci" },
		"long reference": func(e *EPC) { e.Reference = strings.Repeat("1", 36) },
		"long text":      func(e *EPC) { e.Reference, e.Text = "", strings.Repeat("x", 141) },
		"long purpose":   func(e *EPC) { e.Purpose = "CHARI" },
		"long info":      func(e *EPC) { e.Info = strings.Repeat("x", 71) },
		"line break":     func(e *EPC) { e.Reference, e.Text = "", "a\nb" },
		"no Latin-1":     func(e *EPC) { e.Latin1, e.Name = true, "Łódź" },
		"too many bytes": func(e *EPC) { e.Reference, e.Text = "", strings.Repeat("€", 140) },
	} {
		e := commune
		change(&e)
		if got, err := e.Payload(); !errors.Is(err, ErrEPC) {
			t.Errorf("%s: %q, %v, want ErrEPC", name, got, err)
		}
	}
}

// TestReadBack decodes drawn codes with another's decoder (ZXing): what is drawn is what was meant, at level M, within
// version 13.
func TestReadBack(t *testing.T) {
	t.Parallel()
	full := EPC{
		BIC: "GKCCBEBB", Name: strings.Repeat("é", 35), IBAN: "BE15091000000130", Cents: maxEPCCents, Purpose: "OTHR",
		Text: strings.Repeat("a", 140), Info: strings.Repeat("b", 39),
	}
	for name, e := range map[string]EPC{"as on the page": commune, "full": full} {
		text, err := e.Payload()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		raw, err := qrcode.PNG(text, 4)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
		if err != nil {
			t.Fatal(err)
		}
		read, err := zxing.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_CHARACTER_SET: "UTF-8"})
		if err != nil {
			t.Fatalf("%s: nobody can read it: %v", name, err)
		}
		if diff := cmp.Diff(text, read.GetText()); diff != "" {
			t.Errorf("%s is read differently (-drawn +read):\n%s", name, diff)
		}
		if level := read.GetResultMetadata()[gozxing.ResultMetadataType_ERROR_CORRECTION_LEVEL]; level != "M" {
			t.Errorf("%s: level %v, want M", name, level)
		}
		code, err := qr.Encode(text, qr.M)
		if err != nil || code.Size > 17+4*13 {
			t.Errorf("%s: %d modules, %v, want version 13 at most", name, code.Size, err)
		}
	}
}

// TestPayloadBounds holds the bounds for any input.
func TestPayloadBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := EPC{
			Name: rapid.String().Draw(t, "name"), IBAN: "BE15091000000130", Cents: civil.Cents(rapid.Int64().Draw(t, "cents")),
			Text: rapid.String().Draw(t, "text"), Latin1: rapid.Bool().Draw(t, "latin1"),
		}
		text, err := e.Payload()
		if err != nil {
			return
		}
		if lines := strings.Split(text, "\n"); len(text) > maxEPC || len(lines) > 12 || len(lines) < 8 || strings.HasSuffix(text, "\n") {
			t.Fatalf("%d bytes in %d lines: %q", len(text), len(lines), text)
		}
	})
}

func TestParseIBAN(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"BE68 5390 0754 7034", "be15091000000130", "BE80001000000177", "BE48-3200-7018-4927", "FR1420041010050500013M02606"} {
		if got, err := ParseIBAN(s); err != nil || strings.ContainsAny(got, " -") || got != strings.ToUpper(got) {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "BE68", "BE68539007547035", "BE6853900754703", "B168539007547034", "6853900754703412", "BE68é390075470", "BE6 539007547034x"} {
		if got, err := ParseIBAN(s); !errors.Is(err, ErrIBAN) {
			t.Errorf("%q passes as %q", s, got)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Communication{
		"PLAINE JUILLET ZOE 202600012320":         "202600012320",
		"stage de Léa +++202/6000/00192+++ merci": "202600000192",
		"***202/6000/00192***":                    "202600000192",
		"202 6000 00192":                          "202600000192",
		"GSM 0475123456 202600012320":             "202600012320",
		"com 202600012320 et encore 202600012320": "202600012320",
		"202600012320 ou 202600000192":            "", // which one?
		"facture 12":                              "",
		"202600012321":                            "",
		"":                                        "",
		"2026000123204":                           "",
		"BE80001000000177":                        "",
	} {
		if got, ok := Find(text); got != want || ok != (want != "") {
			t.Errorf("Find(%q) = %q, %v, want %q", text, got, ok, want)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("stage +++202/6000/00192+++ merci 12 34")
	f.Fuzz(func(t *testing.T, s string) {
		if c, ok := Find(s); ok {
			if _, err := Parse(string(c)); err != nil {
				t.Errorf("%q holds %q, which is none", s, c)
			}
		}
	})
}
