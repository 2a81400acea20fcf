using System.Globalization;

namespace WebRtcIms.Page.Load;

/// <summary>What the page calls, and how often.</summary>
internal sealed record LoadOptions
{
    /// <summary>The gateway of a running application.</summary>
    public Uri Address { get; init; } = new("http://localhost:8080");

    /// <summary>Number of calls, each in a browser context of its own.</summary>
    public int Calls { get; init; } = 100;

    /// <param name="args"><c>--address http://localhost:8080 --calls 100</c>.</param>
    /// <returns>Null when they are wrong; the problem is printed.</returns>
    public static LoadOptions? Parse(string[] args)
    {
        var options = new LoadOptions();
        for (var i = 0; i < args.Length; i += 2)
        {
            var value = i + 1 < args.Length ? args[i + 1] : "";
            switch (args[i])
            {
                case "--address" when Uri.TryCreate(value, UriKind.Absolute, out var address):
                    options = options with { Address = address };
                    break;
                case "--calls" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var calls)
                    && calls is > 0 and <= 1000:
                    options = options with { Calls = calls };
                    break;
                default:
                    Console.Error.WriteLine($"{args[i]} {value}: --address needs an address, --calls a number up to 1000");
                    return null;
            }
        }

        return options;
    }
}
