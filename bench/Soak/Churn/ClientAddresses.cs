using System.Net;

namespace WebRtcIms.Soak.Churn;

/// <summary>
/// Addresses of the loopback network, another for each page. So the limits of one address are those of real clients, and the tables of
/// addresses in the parts are churned as well.
/// </summary>
internal static class ClientAddresses
{
    private const int Addresses = 1 << 20;
    private static int _last;

    /// <summary>From 127.16.0.1 to 127.31.255.255.</summary>
    public static IPAddress Next()
    {
        var number = Interlocked.Increment(ref _last) % Addresses;
        return new IPAddress([127, (byte)(16 + (number >> 16)), (byte)(number >> 8), (byte)number]);
    }
}
