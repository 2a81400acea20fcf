using SharpFuzz;
using WebRtcIms.Fuzz;

// fuzz instrument DIRECTORY: adds coverage counters to this project's assemblies there.
// fuzz TARGET: what afl-fuzz starts; without afl-fuzz it runs the target once over its standard input.
switch (args)
{
    case ["instrument", var directory]:
        foreach (var assembly in (string[])["Stun", "Turn", "EpCscf"])
        {
            var types = Fuzzer.Instrument(Path.Combine(directory, $"WebRtcIms.{assembly}.dll"), _ => true, Options.Value);
            Console.WriteLine($"{assembly}: {types.Count()} types");
        }

        return 0;

    case [var name] when FuzzTargets.All.TryGetValue(name, out var target):
        Fuzzer.OutOfProcess.Run(input =>
        {
            using var octets = new MemoryStream();
            input.CopyTo(octets);
            target(octets.ToArray());
        });
        return 0;

    default:
        Console.Error.WriteLine($"usage: fuzz instrument DIRECTORY | fuzz {string.Join('|', FuzzTargets.All.Keys)}");
        return 2;
}
