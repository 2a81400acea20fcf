using System.Globalization;
using System.Net;

namespace WebRtcIms.EndToEnd.Tests.Setup;

/// <summary>The sockets on which programs accept connections and datagrams, read from /proc.</summary>
internal static class OpenPorts
{
    private const string Listening = "0A";
    private const string Unconnected = "07";

    private static readonly string[] Tables = ["tcp", "tcp6", "udp", "udp6"];

    public static IReadOnlyCollection<(string Protocol, IPEndPoint At)> Of(IEnumerable<int> programs)
    {
        var sockets = programs.SelectMany(SocketsOf).ToHashSet();
        return [.. Tables.SelectMany(table => Read(table, sockets)).Distinct()];
    }

    private static IEnumerable<(string Protocol, IPEndPoint At)> Read(string table, HashSet<string> sockets)
    {
        var protocol = table[..3];
        foreach (var line in File.ReadLines($"/proc/net/{table}").Skip(1))
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields[3] == (protocol == "tcp" ? Listening : Unconnected) && sockets.Contains($"socket:[{fields[9]}]"))
                yield return (protocol, EndPoint(fields[1]));
        }
    }

    private static IPEndPoint EndPoint(string text)
    {
        var (address, port) =
            (Convert.FromHexString(text.Split(':')[0]),
                int.Parse(text.Split(':')[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        // Each word is in host byte order.
        for (var word = 0; word < address.Length; word += 4) address.AsSpan(word, 4).Reverse();
        return new IPEndPoint(new IPAddress(address), port);
    }

    private static IEnumerable<string> SocketsOf(int program)
    {
        foreach (var handle in Directory.EnumerateFiles($"/proc/{program}/fd"))
        {
            if (new FileInfo(handle).LinkTarget is { } target) yield return target;
        }
    }
}
