using SharpFuzz;
using WebRtcIms.Fuzz;

// fuzz instrument DIRECTORY: adds coverage counters to this project's assemblies there, and to the library that reads DTLS.
// fuzz TARGET: what afl-fuzz starts; without afl-fuzz it runs the target once over its standard input.
switch (args)
{
    case ["instrument", var directory]:
        foreach (var (assembly, prefix) in (ReadOnlySpan<(string, string)>)
            [("WebRtcIms.Stun", ""), ("WebRtcIms.Turn.Engine", ""), ("WebRtcIms.Turn", ""), ("WebRtcIms.EpCscf", ""),
                ("BouncyCastle.Cryptography", "Org.BouncyCastle.Tls.")])
        {
            var types = Fuzzer.Instrument(Path.Combine(directory, $"{assembly}.dll"), type =>
                type.StartsWith(prefix, StringComparison.Ordinal), Options.Value);
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
