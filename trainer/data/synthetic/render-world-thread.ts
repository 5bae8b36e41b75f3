// A thread that renders one world after another and answers with the count of pictures.
import { renderWorld, type WorldJob } from './render-world.ts'
import { answerJobs } from './threads.ts'

answerJobs((job: WorldJob) => renderWorld(job))
