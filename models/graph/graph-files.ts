import { weightsFile } from '../contracts/artifact.ts';
import { digestBytes, digestJson } from '../contracts/digest.ts';
import type { GraphBytes } from './onnx-builder.ts';

export type GraphFiles = { 'recommend.onnx': Uint8Array; [weightsFile]?: Uint8Array };

/** A graph as files of an artifact. */
export const graphFiles = ({ bytes, weights }: GraphBytes): GraphFiles => ({ 'recommend.onnx': bytes, ...(weights && { [weightsFile]: weights }) });

export const graphSize = ({ bytes, weights }: GraphBytes): number => bytes.length + (weights?.length ?? 0);

export const graphDigest = ({ bytes, weights }: GraphBytes): string => digestJson([bytes, ...(weights ? [weights] : [])].map(digestBytes));
