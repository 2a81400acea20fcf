using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace WebRtcIms.Wwsf.Stores.Migrations;

/// <summary>The registration of this WWSF at the WAF.</summary>
[DbContext(typeof(WwsfStore))]
[Migration("20261128000001_WafClients")]
internal sealed class WafClients : Migration
{
    private const int MaxTextLength = 255;

    protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.CreateTable(
        name: "WafClients",
        columns: table => new
        {
            Id = table.Column<int>(nullable: false),
            ClientId = table.Column<string>(maxLength: MaxTextLength, nullable: false),
            Issuer = table.Column<string>(maxLength: MaxTextLength, nullable: false),
            ProtectedSecrets = table.Column<byte[]>(nullable: false),
            KeyCreatedAt = table.Column<long>(nullable: false)
        },
        constraints: table => table.PrimaryKey("PK_WafClients", x => x.Id));
}
