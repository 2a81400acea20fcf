using System.Globalization;
using WebRtcIms.Sip.Load;

// Runs kamailio and the eP-CSCF in turn (A B A B) under the same load. Prints the medians and the ratio of each round, because on a
// noisy machine only figures of the same minute are comparable.
var options = LoadOptions.Parse(args);
List<LoadResults> theirs = [];
List<LoadResults> ours = [];
for (var round = 0; round < options.Servers; round++)
{
    using (var server = SipServerProcess.Kamailio()) theirs.Add(await LoadRun.RunAsync(server, options));
    using (var server = SipServerProcess.Own(options.Wics + 200)) ours.Add(await LoadRun.RunAsync(server, options));
    Console.Error.WriteLine($"round {round + 1} of {options.Servers}");
}

Console.WriteLine("| measure | kamailio | eP-CSCF | kamailio / eP-CSCF | of the rounds |");
Console.WriteLine("|---|---|---|---|---|");
Print("connections with registration per second", results => results.Connect.PerSecond);
Print("CPU µs per connection with registration", results => results.Connect.CpuMicroseconds);
Print("kB per registered WIC", results => results.KilobytesPerWic);
Print("registrations per second", results => results.Register.PerSecond);
Print("CPU µs per registration", results => results.Register.CpuMicroseconds);
Print("ms per registration, median", results => results.Register.MedianMilliseconds);
Print("calls per second", results => results.Call.PerSecond);
Print("CPU µs per call", results => results.Call.CpuMicroseconds);
Print("ms from INVITE to 200, median", results => results.Call.MedianMilliseconds);

void Print(string measure, Func<LoadResults, double> read)
{
    var ratios = theirs.Zip(ours, (their, our) => read(their) / read(our)).Order().ToList();
    var (their, our) = (Median(theirs.Select(read)), Median(ours.Select(read)));
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"| {measure} | {their:0.##} | {our:0.##} | {their / our:0.00} | {ratios[0]:0.00} to {ratios[^1]:0.00} |"));
}

static double Median(IEnumerable<double> values)
{
    var sorted = values.Order().ToList();
    return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
}
