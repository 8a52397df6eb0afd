# An actor in awk: it calculates. Run by etc/examples/ports.yaml, which see.
#
#   troupe call ports/calc add 2 0.5        2.5
#
# It keeps the last result, tells others of it (`publish`), and knows one way to fail.
BEGIN {
    FS = OFS = "\t"
    print "describe", "add", "ff", "f", "adds two numbers"
    print "describe", "multiply", "ff", "f", "multiplies two numbers"
    print "describe", "divide", "ff", "f", "divides the first number by the second"
    print "describe", "last", "", "f", "tells the last result"
    print "ready"
    fflush()
}
$2 == "add" { result($3 + $4) }
$2 == "multiply" { result($3 * $4) }
$2 == "divide" && $4 != 0 { result($3 / $4) }
$2 == "divide" && $4 == 0 { answer("!" $1, "division by zero") }
$2 == "last" { answer($1, last) }
{ fflush() }

function result(number) {
    last = sprintf("%.15g", number)
    answer($1, last)
    print "publish", "result", last
}

# A cast, whose REF is -, wants no answer.
function answer(ref, text) {
    if ($1 != "-") print ref, text
}
