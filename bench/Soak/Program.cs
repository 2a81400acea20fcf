using WebRtcIms.Soak;
using WebRtcIms.Soak.Costs;

// Runs calls between pages against all parts on this machine, and judges whether memory, descriptors, ports and Redis keys stay flat:
// bench/soak --calls-per-minute 1000 --minutes 60. With --costs it measures what each operation costs.
try
{
    var options = SoakOptions.Parse(args);
    return await (options.Costs > 0 ? CostRun.RunAsync(options) : SoakRun.RunAsync(options)) ? 0 : 1;
}
catch (FormatException problem)
{
    Console.Error.WriteLine(problem.Message);
    return 2;
}
