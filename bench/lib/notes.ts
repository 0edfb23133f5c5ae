/** What a reader must know to judge the numbers. */
export const notes = [
  'A ratio is that of the medians over the rounds; "rounds" is the lowest and the highest ratio of one round.',
  'Subject and baseline take turns in every round. Servers, stores and the load generator are processes of their own.',
  'The load generator writes raw HTTP/1.1 over sockets: with `node:http` it would be busier than a bare server.',
  'Each answer is checked; one wrong answer fails the row. Each secret was used once before the clock runs.',
  'Secrets are used in turn, 10,000 of them where there are as many and nothing else is said.',
  'Bare look-ups have the pragmas of the product (WAL, FULL, mmap); unlike it they authenticate and record nothing.',
  'Cold start ends with the answer to tools/list: the list is made by the build, and the store is opened after it.',
  'In favour of peers: `synchronous=NORMAL`, rate limits off, and where it says so no database at all.',
]
