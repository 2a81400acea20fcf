using System.Text;
using WebRtcIms.ServiceDefaults.Certificates;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.ServiceDefaults.Tests.Certificates;

/// <summary>Certificates and keys as certbot, step-ca, Windows and the commands of OpenSSL write them.</summary>
public sealed class LayoutTests : IDisposable
{
    private const string Password = "a password of the tests";

    private readonly CertificateChain _chain = new();

    public void Dispose() => _chain.Dispose();

    /// <summary>Name, key of the certificate, the commands that make the files, the certificate's file, and the key's file.</summary>
    public static TheoryData<string, bool, string, string, string?> Layouts => new()
    {
        { "certbot", false, "", "fullchain.pem", "privkey.pem" },
        { "certbot with RSA", true, "", "fullchain.pem", "privkey.pem" },
        { "the key first", false, "cat privkey.pem fullchain.pem > one.pem", "one.pem", null },
        { "the key last", false, "cat fullchain.pem privkey.pem > one.pem", "one.pem", null },
        { "the key in the middle", true, "cat cert.pem privkey.pem chain.pem > one.pem", "one.pem", null },
        { "both settings name one file", false, "cat fullchain.pem privkey.pem > one.pem", "one.pem", "one.pem" },
        { "the authority first", false, "cat chain.pem cert.pem > one.pem", "one.pem", "privkey.pem" },
        { "the root first", false, "cat root.pem chain.pem cert.pem > one.pem", "one.pem", "privkey.pem" },
        { "PKCS #1", true, "openssl rsa -traditional -in privkey.pem -out key.pem", "fullchain.pem", "key.pem" },
        { "SEC 1 of step-ca", false, "openssl ec -in privkey.pem -out key.pem", "fullchain.pem", "key.pem" },
        {
            "SEC 1 with EC parameters", false,
            "(openssl ecparam -name prime256v1; openssl ec -in privkey.pem) > key.pem", "fullchain.pem", "key.pem"
        },
        { "encrypted", false, "openssl pkcs8 -topk8 -in privkey.pem -passout env:P -out key.pem", "fullchain.pem", "key.pem" },
        { "encrypted with RSA", true, "openssl pkcs8 -topk8 -in privkey.pem -passout env:P -out key.pem", "fullchain.pem", "key.pem" },
        { "encrypted in DER", false, "openssl pkcs8 -topk8 -in privkey.pem -passout env:P -outform DER -out key.der", "fullchain.pem", "key.der" },
        { "PKCS #8 in DER", false, "openssl pkcs8 -topk8 -nocrypt -in privkey.pem -outform DER -out key.der", "fullchain.pem", "key.der" },
        { "PKCS #1 in DER", true, "openssl rsa -traditional -in privkey.pem -outform DER -out key.der", "fullchain.pem", "key.der" },
        { "SEC 1 in DER", false, "openssl ec -in privkey.pem -outform DER -out key.der", "fullchain.pem", "key.der" },
        { "PFX", false, "openssl pkcs12 -export -in fullchain.pem -inkey privkey.pem -passout env:P -out x.pfx", "x.pfx", null },
        { "PFX without a password", true, "openssl pkcs12 -export -in fullchain.pem -inkey privkey.pem -passout pass: -out x.pfx", "x.pfx", null },
        {
            "PFX turned into PEM", true,
            "openssl pkcs12 -export -in fullchain.pem -inkey privkey.pem -passout env:P -out x.pfx; "
                + "openssl pkcs12 -in x.pfx -passin env:P -noenc -out one.pem",
            "one.pem", null
        },
        { "text before the blocks", false, "openssl x509 -text -in cert.pem > one.pem; cat chain.pem >> one.pem", "one.pem", "privkey.pem" },
        { "lines of Windows", false, "for f in fullchain privkey; do sed -i 's/$/\\r/' $f.pem; done", "fullchain.pem", "privkey.pem" },
        {
            "byte order marks", true, "for f in fullchain privkey; do (printf '\\357\\273\\277'; cat $f.pem) > $f.bom; done",
            "fullchain.bom", "privkey.bom"
        },
        { "UTF-16", false, "for f in fullchain privkey; do (printf '\\377\\376'; iconv -t UTF-16LE $f.pem) > $f.u16; done", "fullchain.u16", "privkey.u16" },
        { "no line at the end", false, "printf %s \"$(cat privkey.pem)\" > key.pem", "fullchain.pem", "key.pem" },
    };

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task Layout_IsRead_WithItsKeyAndItsWholeChain(string name, bool isRsa, string commands, string file, string? keyFile)
    {
        await MakeAsync(isRsa, commands);
        var password = commands.Contains("env:P", StringComparison.Ordinal) ? Password : null;

        var loaded = LoadedCertificate.Load(Files(file, keyFile, password), out var problem);

        Assert.True(loaded is not null, $"{name}: {problem}");
        Assert.Equal(_chain.Leaf.Thumbprint, loaded.Leaf.Thumbprint);
        Assert.True(loaded.Leaf.HasPrivateKey);
        Assert.Equal(
            _chain.Intermediates.Select(authority => authority.Thumbprint),
            loaded.Context.IntermediateCertificates.Select(authority => authority.Thumbprint));
    }

    [Theory]
    [InlineData("certificate in DER", "openssl x509 -in cert.pem -outform DER -out cert.der", "cert.der", "privkey.pem")]
    public async Task SingleCertificate_IsRead(string name, string commands, string file, string keyFile)
    {
        await MakeAsync(isRsa: false, commands);

        Assert.True(LoadedCertificate.Load(Files(file, keyFile, null), out var problem) is not null, $"{name}: {problem}");
    }

    [Theory]
    [InlineData(
        "openssl genpkey -algorithm ed25519 -out key.pem", "fullchain.pem", "key.pem", "Key: '{0}/key.pem' has a key of the kind Ed25519")]
    [InlineData(
        "openssl genpkey -algorithm ed25519 -outform DER -out key.der", "fullchain.pem", "key.der", "Key: '{0}/key.der' has a key of the kind Ed25519")]
    [InlineData(
        "openssl ec -aes128 -passout env:P -in privkey.pem -out key.pem", "fullchain.pem", "key.pem",
        "Key: '{0}/key.pem' has a key that is encrypted in the old form of OpenSSL")]
    [InlineData(
        "openssl genpkey -algorithm EC -pkeyopt group:P-256 -out key.pem", "fullchain.pem", "key.pem", "Key: '{0}/key.pem' is not the key")]
    [InlineData("openssl genpkey -algorithm RSA -out key.pem", "fullchain.pem", "key.pem", "Key: '{0}/key.pem' is not the key")]
    [InlineData("head -c 300 fullchain.pem > cut.pem", "cut.pem", "privkey.pem", "Path: '{0}/cut.pem' ends in the middle of a block")]
    [InlineData("head -c 100 privkey.pem > key.pem", "fullchain.pem", "key.pem", "Key: '{0}/key.pem' ends in the middle of a block")]
    [InlineData("openssl crl2pkcs7 -nocrl -certfile fullchain.pem -out x.p7b", "x.p7b", "privkey.pem", "Path: '{0}/x.p7b' is PKCS #7")]
    [InlineData(
        "openssl crl2pkcs7 -nocrl -certfile cert.pem -outform DER -out x.p7b", "x.p7b", "privkey.pem", "Path: '{0}/x.p7b' is PKCS #7")]
    [InlineData("", "privkey.pem", "privkey.pem", "Path: '{0}/privkey.pem' has no certificate")]
    [InlineData("", "fullchain.pem", "fullchain.pem", "Key: '{0}/fullchain.pem' has no private key")]
    [InlineData("", "fullchain.pem", null, "Key is missing: '{0}/fullchain.pem' has no private key")]
    [InlineData(": > empty.pem", "empty.pem", "privkey.pem", "Path: '{0}/empty.pem' has no certificate")]
    [InlineData(": > empty.pem", "fullchain.pem", "empty.pem", "Key: '{0}/empty.pem' has no private key")]
    [InlineData("head -c 500 /dev/urandom > x.pem", "x.pem", "privkey.pem", "Path: '{0}/x.pem' has")]
    [InlineData("", ".", "privkey.pem", "Path: '{0}/.' cannot be read")]
    [InlineData("", "none.pem", "privkey.pem", "Path: '{0}/none.pem' cannot be read (FileNotFoundException)")]
    [InlineData("", "fullchain.pem", "none.pem", "Key: '{0}/none.pem' cannot be read (FileNotFoundException)")]
    [InlineData(
        "openssl pkcs8 -topk8 -in privkey.pem -passout pass:other -out key.pem", "fullchain.pem", "key.pem", "Password is missing: '{0}/key.pem' is encrypted")]
    [InlineData(
        "openssl pkcs12 -export -in cert.pem -inkey privkey.pem -passout pass:other -out x.pfx", "x.pfx", null, "Password is missing: '{0}/x.pfx'")]
    public async Task FileOfNoUse_IsNamedWithTheReason_AndNothingOfItIsShown(string commands, string file, string? keyFile, string problem)
    {
        await MakeAsync(isRsa: false, commands);

        Assert.Null(LoadedCertificate.Load(Files(file, keyFile, null), out var actual));

        Assert.StartsWith(string.Format(null, CompositeFormat.Parse(problem), _chain.Folder), actual, StringComparison.Ordinal);
        Assert.DoesNotContain("BEGIN", actual, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("openssl pkcs8 -topk8 -in privkey.pem -passout pass:other -out key.pem", "fullchain.pem", "key.pem")]
    [InlineData("openssl pkcs12 -export -in cert.pem -inkey privkey.pem -passout pass:other -out key.pem", "key.pem", null)]
    public async Task WrongPassword_IsNamed_AndNotShown(string commands, string file, string? keyFile)
    {
        await MakeAsync(isRsa: false, commands);

        Assert.Null(LoadedCertificate.Load(Files(file, keyFile, Password), out var problem));

        Assert.StartsWith($"Password is not the password of '{_chain.PathOf("key.pem")}'", problem, StringComparison.Ordinal);
        Assert.DoesNotContain(Password, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void CertificateOfAClient_IsNotForAServer()
    {
        _chain.Renew(use: "1.3.6.1.5.5.7.3.2");
        WriteFiles();

        Assert.Null(LoadedCertificate.Load(Files("fullchain.pem", "privkey.pem", null), out var problem));
        Assert.Contains("not for servers", problem, StringComparison.Ordinal);
        Assert.NotNull(LoadedCertificate.Load(Files("fullchain.pem", "privkey.pem", null) with { IsForServer = false }, out _));
    }

    private CertificateFiles Files(string file, string? keyFile, string? password) => new(
        "Path", _chain.PathOf(file), "Key", keyFile is null ? null : _chain.PathOf(keyFile), "Password", password);

    private async Task MakeAsync(bool isRsa, string commands)
    {
        _chain.Renew(isRsa);
        WriteFiles();
        if (commands.Length == 0) return;
        Tools.Require("openssl", "openssl");
        var result = await Command.RunAsync("bash", ["-e", "-c", $"cd '{_chain.Folder}'; {commands}"], null, ("P", Password));
        Assert.True(result.ExitCode == 0, result.Output);
    }

    private void WriteFiles()
    {
        _chain.Write("cert.pem", _chain.LeafPem);
        _chain.Write("chain.pem", _chain.IntermediatesPem);
        _chain.Write("root.pem", _chain.RootPem);
        _chain.Write("fullchain.pem", _chain.LeafPem + _chain.IntermediatesPem);
        _chain.Write("privkey.pem", _chain.Key);
    }
}
