using System.Globalization;

namespace WebRtcIms.Sip.Load;

/// <summary>The amount of load.</summary>
internal sealed record LoadOptions
{
    /// <summary>Number of runs of each server.</summary>
    public int Servers { get; init; } = 3;

    /// <summary>Number of connected pages.</summary>
    public int Wics { get; init; } = 2000;

    /// <summary>Number of registrations and calls of each page.</summary>
    public int Rounds { get; init; } = 5;

    /// <summary>Number of concurrent operations.</summary>
    public int AtOnce { get; init; } = 16;

    /// <param name="args"><c>--servers 3 --wics 2000 --rounds 5 --at-once 16</c>.</param>
    public static LoadOptions Parse(string[] args)
    {
        var options = new LoadOptions();
        for (var i = 0; i < args.Length; i += 2)
        {
            if (i + 1 == args.Length || !int.TryParse(args[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var value)
                || value is < 1 or > 9000)
                throw new ArgumentException($"{args[i]} needs a number from 1 to 9000");
            options = args[i] switch
            {
                "--servers" => options with { Servers = value },
                "--wics" => options with { Wics = value },
                "--rounds" => options with { Rounds = value },
                "--at-once" => options with { AtOnce = value },
                _ => throw new ArgumentException($"Unknown option {args[i]}; there are --servers, --wics, --rounds and --at-once"),
            };
        }
        return options;
    }
}
