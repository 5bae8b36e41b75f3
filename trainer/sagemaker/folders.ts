// Where SageMaker puts what a container reads, and looks for what it writes:
// https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
import { join } from 'node:path'

/** `root` is /opt/ml; ROADMASK_ML_ROOT names another one, for workstations and tests. */
export const mlFolders = (root = process.env.ROADMASK_ML_ROOT ?? '/opt/ml') => ({
  hyperparameters: join(root, 'input/config/hyperparameters.json'),
  inputConfig: join(root, 'input/config/inputdataconfig.json'),
  resources: join(root, 'input/config/resourceconfig.json'),
  inputData: join(root, 'input/data'),
  model: join(root, 'model'),
  output: join(root, 'output/data'),
  failure: join(root, 'output/failure'),
  checkpoints: join(root, 'checkpoints'),
})

export type MlFolders = ReturnType<typeof mlFolders>
