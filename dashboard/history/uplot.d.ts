// uPlot as the agent serves it to the page: the module of the npm package, under an address beside the view's own.
export { default } from 'uplot'
