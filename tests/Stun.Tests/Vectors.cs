using System.Text;

namespace WebRtcIms.Stun.Tests;

/// <summary>Messages and tokens from other sources: the RFCs and coturn's turnutils_oauth.</summary>
internal static class Vectors
{
    /// <summary>Short-term password of RFC 5769 §2.1 to §2.3: used as the key as it is.</summary>
    public static readonly byte[] ShortTermKey = Encoding.ASCII.GetBytes("VOkJxbRl1RmTxUk/WvJxBt");

    /// <summary>RFC 5769 §2.1: a request with SOFTWARE, PRIORITY, ICE-CONTROLLED, USERNAME padded with spaces.</summary>
    public static readonly byte[] Request = Convert.FromHexString(
        "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36"
        + "000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf");

    /// <summary>RFC 5769 §2.2: a response with an IPv4 address.</summary>
    public static readonly byte[] ResponseIPv4 = Convert.FromHexString(
        "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
        + "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96");

    /// <summary>RFC 5769 §2.3: a response with an IPv6 address.</summary>
    public static readonly byte[] ResponseIPv6 = Convert.FromHexString(
        "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
        + "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c");

    /// <summary>RFC 5769 §2.4: a request with long-term credentials.</summary>
    public static readonly byte[] LongTermRequest = Convert.FromHexString(
        "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b900000015001c662f2f3439396b3935346436"
        + "4f4c33346f4c394653547679363473410014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666");

    /// <summary>
    /// RFC 8489 Appendix B.1 with PASSWORD-ALGORITHM added and the length corrected; the printed header claims more
    /// octets than the message has.
    /// </summary>
    public static readonly byte[] Sha256Request = Convert.FromHexString(
        "000100902112a44278ad3433c6ad72c029da412e001e00204a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"
        + "001500296f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c394653547679363473410000000014000b6578616d706c652e"
        + "6f726700001d000400020000001c0020b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65");

    /// <summary>The user of RFC 5769 §2.4 and RFC 8489 B.1, in UTF-8.</summary>
    public static readonly byte[] User = Encoding.UTF8.GetBytes("\u30DE\u30C8\u30EA\u30C3\u30AF\u30B9");

    public static readonly byte[] Realm = Encoding.ASCII.GetBytes("example.org");

    /// <summary>
    /// The password before preparation, with a soft hyphen and compatibility characters, prepares to this under SASLprep.
    /// </summary>
    public static readonly byte[] PreparedPassword = Encoding.ASCII.GetBytes("TheMatrIX");

    /// <summary>
    /// RFC 7635 Appendix A (A256GCM, A128GCM), then three made by turnutils_oauth 4.6.1, of which the second has half a second
    /// in its timestamp and the third a mac_key of 32 octets.
    /// </summary>
    public static TheoryData<TokenVector> Tokens { get; } =
    [
        new TokenVector(
            "RFC 7635 A, A256GCM", "A256GCM", "48476b6a33324b4a476975793039387364666171624e6a4f69617a3731393233", "blackdow.carleon.gov",
            "68346a336b326c326e346235", "5a6b736a7077656f6978586d766e36373533346d", 92470300704768, 3600,
            "000c68346a336b326c326e346235617ef134a3d5e44e9a19cc7dc104b0c03d03b2a551d8fdf5cd3b6dca6f10cfb77e5b2ddec84d293a5c50499359f0c2e26f76"),
        new TokenVector(
            "RFC 7635 A, A128GCM", "A128GCM", "48476b6a33324b4a476975793039387364666171624e6a4f69617a3731393233", "blackdow.carleon.gov",
            "68346a336b326c326e346235", "5a6b736a7077656f6978586d766e36373533346d", 92470300704768, 3600,
            "000c68346a336b326c326e3462357fb9e99f0827be3df1e1bd651493d3031d36df57079784aee5eacb65fad4f27fab1a3f97974b69f851b24bf5af09eda357e0"),
        new TokenVector(
            "coturn, A256GCM", "A256GCM", "3031323334353637383930313233343536373839303132333435363738393031", "turn.example.org",
            "a1b2c3d4e5f60718293a4b5c", "0102030405060708090a0b0c0d0e0f1011121314", 111411200000000, 600,
            "000ca1b2c3d4e5f60718293a4b5c83038338b04dc115489439f6f7e12e28e491d4c41626e2a2ac772c9191ee80da4a36653e4f524e2bdf0ec133c79d7aa6d33a"),
        new TokenVector(
            "coturn, A128GCM", "A128GCM", "31323334353637383930313233343536", "turn.example.org",
            "0f1e2d3c4b5a69788796a5b4", "fedcba98765432110123456789abcdefdeadbeef", 111411200032000, 1800,
            "000c0f1e2d3c4b5a69788796a5b4f42e15eb380a555c3f3ea5177a97150a2a5d5374dcd801415ec69615a7de812cfd03e5a835cf83e397726807fc4d954ea040"),
        new TokenVector(
            "coturn, A256GCM, mac_key of 32 octets", "A256GCM", "3132333435363738393031323334353637383930313233343536373839303132",
            "blackdow.carleon.gov",
            "68346a336b326c326e346235", "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", 268857822412800, 86400,
            "000c68346a336b326c326e346235e85a975f6826bf37966e7b31a9823a0c1391a46409a2a806f8e6a50d6f0680f6aa7d0afe0b5a22c09ec63c717774bc441166221c8a0e48a24f1b583ac201"),
    ];
}

/// <summary>One token with its inputs; octets in hex.</summary>
public sealed record TokenVector(
    string Name, string Algorithm, string Key, string ServerName, string Nonce, string MacKey, ulong Timestamp, uint Lifetime, string Token)
{
    public byte[] TokenOctets => Convert.FromHexString(Token);

    public byte[] ServerNameOctets => Encoding.UTF8.GetBytes(ServerName);

    public override string ToString() => Name;
}
