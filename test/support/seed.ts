import fc from 'fast-check';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
if (Number.isInteger(seed)) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
