using System.Globalization;
using WebRtcIms.Simulation;

// Prints what a system for many users needs, from measured costs and assumptions: bench/simulate [measured.json [assumptions.json]].
var measured = Files.Read<Measured>(args.Length > 0 ? args[0] : "measured.json");
var assumed = Files.Read<Assumptions>(args.Length > 1 ? args[1] : "assumptions.json");
var model = new Model(measured, assumed);

var hourly = assumed.Calls / assumed.CallSeconds * 3600 / assumed.Users;
Print($"{assumed.Users:N0} registered users, {assumed.Calls:N0} relayed calls at a time ({hourly:0.0#} an hour for each user)\n");
Print($"| operations | per second |\n|---|---|");
foreach (var (name, rate) in model.Rates) Print($"| {name} | {rate:N0} |");

Print($"\n| part | processors busy | instances of {assumed.CoresOfNode:0} | memory of one for users, MB |\n|---|---|---|---|");
foreach (var part in Model.Parts)
    Print($"| {part} | {model.Cores(part):N1} | {model.Instances(part):N0} | {model.InstanceOctets(part) / 1e6:N0} |");

Print($"\n| exists once | processors busy | can use | load at {assumed.Utilisation:0 %} of these | enough for users |");
Print($"|---|---|---|---|---|");
foreach (var process in Model.Single)
{
    var load = model.Load(process);
    Print($"| {process} | {model.Cores(process):N2} | {model.Most(process):0} | {load:0 %} | {assumed.Users / load:N0} |");
}

Print($"\nRedis: {model.RedisCommands:N0} commands a second");
Print($"Revocations: {model.Revocations:N0} are live, and all nodes together read {model.RevocationEntries:N0} of them a second");
Print($"\n| memory in Redis | MB |\n|---|---|");
foreach (var (prefix, octets) in model.RedisOctets.OrderByDescending(entry => entry.Value)) Print($"| {prefix} | {octets / 1e6:N0} |");
Print($"| all | {model.RedisOctets.Values.Sum() / 1e6:N0} |\n");
Print($"Network of all TURN nodes: {model.NetworkOctets * 8 / 1e9:N0} Gbit/s, in and out together");
var first = Model.Single.MaxBy(model.Load)!;
Print($"First bottleneck of what exists once: {first}, enough for {assumed.Users / model.Load(first):N0} users");

Print($"\n| the model against {measured.Soak.Source} | predicted, of one processor | measured | error |\n|---|---|---|---|");
foreach (var (process, predicted, taken) in Comparison.Of(measured))
    Print($"| {process} | {predicted:0.0 %} | {taken:0.0 %} | {predicted / taken - 1:+0 %;-0 %} |");
var (expected, executed) = Comparison.OfRedisCommands(measured);
Print($"| commands of Redis per second | {expected:N0} | {executed:N0} | {expected / executed - 1:+0 %;-0 %} |");

static void Print(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
