// What the raw results of the suite mean, by its own rules: a test whose dependency does not hold
// says nothing, nor does one whose setup failed.

function ownOutcome (test, result) {
  if (result === undefined) return 'untested'
  if (result === true) return 'pass'
  const [kind, message] = result
  if (kind === 'Setup') return message === 'retry' ? 'retry' : 'setup'
  return 'fail' // by what was asserted, or as there was no response at all
}

// One of pass, fail, dependency, setup, retry, untested for each test, and why.
export function judge (sections, results) {
  const tests = new Map(sections.flatMap(section => section.tests).map(test => [test.id, test]))
  const known = new Map()
  function outcome (id) {
    if (!tests.has(id)) throw new Error(`the suite has no test ${id}`)
    if (!known.has(id)) {
      const test = tests.get(id)
      const own = ownOutcome(test, results[id])
      const blocked = own !== 'untested' && test.depends_on?.some(other => outcome(other) !== 'pass')
      known.set(id, blocked ? 'dependency' : own)
    }
    return known.get(id)
  }
  return sections.flatMap(section => section.tests.map(test => ({
    id: test.id,
    section: section.id,
    section_name: section.name,
    kind: test.kind ?? 'required',
    name: test.name,
    outcome: outcome(test.id),
    reason: Array.isArray(results[test.id]) ? results[test.id].join(': ') : ''
  })))
}
