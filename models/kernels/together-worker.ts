import { workerData } from 'node:worker_threads';
import { serve, type TogetherSetup } from './together.ts';

serve(workerData as TogetherSetup);
