//! The 25 round keys of Rescue over BN254, state of 4: the key schedule of the zero key.

use doppio_bn254::Scalar;

/// One line of four for each step, after the first, which is added before them.
#[rustfmt::skip]
pub(crate) const ROUND_KEYS: [[Scalar; 4]; 25] = [
    [
        Scalar::from_raw([0x3135_1045_0821_51d3, 0x318a_5af0_8a0c_eb97, 0xf0ec_afa3_e5d1_86d6, 0x204e_f519_5a24_9af9]),
        Scalar::from_raw([0x5c32_78a5_dd95_3d6f, 0xbe39_cff2_2d46_aa16, 0x48b6_a0ff_bf1c_9e97, 0x00d5_25fb_b687_d486]),
        Scalar::from_raw([0x72da_1f17_8b61_3ea4, 0x64a6_c05e_ef88_185f, 0x4e6b_a55d_1bc8_3383, 0x10b1_159c_4fde_ad8c]),
        Scalar::from_raw([0x260b_b3b5_5db8_1736, 0x475e_16c4_12fb_04ee, 0x1679_5278_dac5_6b0e, 0x0823_fa86_ed40_9e68]),
    ],
    [
        Scalar::from_raw([0x99cb_a305_354a_593a, 0xb70c_60c3_de91_9e37, 0x0284_df17_0b21_ddda, 0x293f_c7d6_01ba_cd3c]),
        Scalar::from_raw([0xd16b_b9a4_8380_b13f, 0xaa38_b3b5_9efe_62cd, 0x3e04_d66c_516c_c3fa, 0x1151_c53f_7f7f_f741]),
        Scalar::from_raw([0x4608_f9d0_8de2_2d1c, 0xfb57_ac86_812c_cc8f, 0x4e72_4bc2_29fc_8f4f, 0x2f19_8a2c_4615_ac52]),
        Scalar::from_raw([0x2190_c9ef_2876_16b2, 0x8215_3dba_89a1_587c, 0xc3fc_d25f_4cce_79e0, 0x1770_34f8_dd1f_6da5]),
    ],
    [
        Scalar::from_raw([0x91dd_6538_6c4e_fa8d, 0x0d7e_3743_69c0_10c6, 0x804a_da7b_c255_07db, 0x0781_4ed3_eb73_6d73]),
        Scalar::from_raw([0x82bf_eb80_6232_d5f6, 0x3dee_fa33_66af_02e4, 0x41cd_7c81_c2b8_273c, 0x28c3_0510_d747_a6a6]),
        Scalar::from_raw([0xbcac_c286_fb64_f5b5, 0x4afe_1c82_088c_1935, 0x0b1e_0e51_8e99_f0e5, 0x1485_4753_e3c7_e4e5]),
        Scalar::from_raw([0xe4ab_bcf0_f390_957e, 0x8fcf_1144_4852_6c6a, 0x500f_cd40_3874_4a6f, 0x1047_bd5f_58c7_bc8e]),
    ],
    [
        Scalar::from_raw([0x750f_53a1_df6a_dd2d, 0xfb21_6b09_eab1_82e5, 0xd31f_685c_92c4_c754, 0x00ad_cf20_cdef_e156]),
        Scalar::from_raw([0x8d45_210b_6ba3_b539, 0xda6a_b955_b50e_6cdf, 0x7560_ff35_4951_c0a0, 0x2dfd_abf8_3e14_9f59]),
        Scalar::from_raw([0x89e8_1223_d92d_2fea, 0x0cfd_d290_877f_d80e, 0xd124_f234_27e2_18f6, 0x2bac_b215_4e2f_d046]),
        Scalar::from_raw([0x735c_19d7_f535_1ec3, 0x20f3_743a_02d5_d5ef, 0xc2fc_56dd_2064_b480, 0x0800_30fe_806b_d9e4]),
    ],
    [
        Scalar::from_raw([0x31de_c55d_26f2_ae21, 0x172b_0ace_1748_0b76, 0xed56_7bbd_d4af_6aa3, 0x05c1_e7e3_b39c_ea62]),
        Scalar::from_raw([0x8132_67aa_61ee_f503, 0x7abc_b7e1_c36e_dadd, 0xa0ab_108a_0d9c_608c, 0x2f36_e6aa_6047_766a]),
        Scalar::from_raw([0x1fc3_6b82_97c8_def8, 0xdce4_1cb5_e4f5_df32, 0xd697_cb59_6ded_269b, 0x0117_010f_3e7b_e4ba]),
        Scalar::from_raw([0xc6ee_610c_0d9b_f872, 0x14b2_2570_ffad_3896, 0x6e64_358d_6bc2_b98f, 0x12c8_8ae9_e997_682f]),
    ],
    [
        Scalar::from_raw([0xd550_79c8_d1d3_f5f3, 0x6993_cb1c_244c_3ec2, 0x1144_c41f_401b_c42c, 0x2281_e9c8_4944_80ec]),
        Scalar::from_raw([0xeb0f_ba84_331a_4383, 0x828c_0b7d_adfc_004c, 0xb303_f398_fb09_b832, 0x2423_99fd_277e_c35a]),
        Scalar::from_raw([0x1721_0fe1_6216_a014, 0x84aa_fc14_fe34_f2e1, 0x6bfd_7280_0937_d17f, 0x2e9e_0e67_2cc6_a26e]),
        Scalar::from_raw([0xd141_b29e_ed7e_113f, 0x5d32_23fd_13cb_3286, 0xb99f_4baf_512e_53ce, 0x2da2_0060_d27d_a3c2]),
    ],
    [
        Scalar::from_raw([0xc777_9c3d_340f_1960, 0x05aa_1081_b0a3_7b78, 0xf679_3bb4_02e8_8d44, 0x0d4c_b3ee_e399_6ba8]),
        Scalar::from_raw([0x002d_e9e0_dcf0_c43d, 0x1618_2801_2c3a_c346, 0xbd6a_6af9_5311_3676, 0x1ba1_db73_659b_3b23]),
        Scalar::from_raw([0xfd24_a02e_e30b_c0b0, 0xec95_47a3_501c_5bc5, 0x8881_9b5c_7f2f_d37f, 0x17d8_6473_dd04_a5f1]),
        Scalar::from_raw([0xee62_65f1_ddac_6979, 0x2523_f2bf_156a_0de7, 0x31f3_a8b6_9ac3_d537, 0x0c4c_a620_d3fd_1b41]),
    ],
    [
        Scalar::from_raw([0xf28f_6474_45a6_32f0, 0x25c2_a352_be8e_1122, 0x1d97_1e19_a1b2_0656, 0x0a23_92ae_4051_fe49]),
        Scalar::from_raw([0x94c3_c705_049f_7816, 0x2d4d_2f1a_d829_52c6, 0xe5b3_0f23_1a98_4c9a, 0x11fc_ad5e_3418_3c64]),
        Scalar::from_raw([0x4ffa_5e2d_a9df_4b00, 0x33a0_86fa_3bfd_cb41, 0xc238_ca77_529f_a7b9, 0x0a01_76d7_1d3b_0c7a]),
        Scalar::from_raw([0x01b1_c212_37f3_854f, 0x8b6a_1b19_5b53_6405, 0xa8ff_683c_ffd9_8a22, 0x059c_2c26_88d5_d8ad]),
    ],
    [
        Scalar::from_raw([0xdb46_00a8_0374_b6ed, 0x2b7a_43ae_a2f9_98b6, 0xb791_332e_7dbe_bec1, 0x0f61_f39a_3558_851c]),
        Scalar::from_raw([0xdd7c_870e_da7b_0fc5, 0x59f5_673f_8a2b_2cc9, 0x8fb5_9095_17f1_d478, 0x25e1_a9d6_2bab_29bb]),
        Scalar::from_raw([0xfd46_8136_fd5b_b40f, 0x424c_8722_adbd_d647, 0x0db8_7569_7796_0cf0, 0x2e3c_03de_e446_6115]),
        Scalar::from_raw([0xfab4_e277_96b8_ebcd, 0x6036_9efc_7623_4c42, 0x4dda_5a1c_0927_8f41, 0x235f_d011_77ea_0b66]),
    ],
    [
        Scalar::from_raw([0xb8b1_4d14_e4ab_44cc, 0xcf0d_f28a_54fa_c9ef, 0x826d_5173_764c_5830, 0x169b_d072_a166_986e]),
        Scalar::from_raw([0x1917_6836_c89c_8032, 0xd51c_e188_051c_8b42, 0x33d7_779b_ffe5_e4a5, 0x2916_5dfd_e70c_5412]),
        Scalar::from_raw([0xc946_7d1c_997d_40ca, 0x4256_48bd_04b5_9041, 0x5c36_c904_aad6_1596, 0x147b_0715_02d5_ab6d]),
        Scalar::from_raw([0xfdf4_c429_f322_2c90, 0x27b1_aaf7_f42c_07d7, 0xb191_c888_aae9_df7a, 0x2ea3_e4df_1eb0_0b56]),
    ],
    [
        Scalar::from_raw([0x5aaf_279f_efc5_6def, 0x141e_eac9_df96_1266, 0x4426_0407_6a93_1ff1, 0x05e7_d24c_c9be_ad53]),
        Scalar::from_raw([0x8dbd_9756_f93b_2e7f, 0x6965_6bfa_a12c_3d01, 0x98dc_bf75_bad7_997c, 0x2ad3_fdab_692f_9866]),
        Scalar::from_raw([0x3a59_97c5_a68e_97df, 0xdd72_af59_c2af_9902, 0x3389_02ce_c6f8_d69b, 0x0c11_aaa4_40c3_e58f]),
        Scalar::from_raw([0x4d23_2c4f_5dd2_06e2, 0xe58e_b196_ca0b_8cda, 0x8052_e558_5308_fdeb, 0x1038_3793_7608_0467]),
    ],
    [
        Scalar::from_raw([0x9966_7597_85f5_8918, 0x6ac7_d6a6_b622_145f, 0xa3ab_1db4_40ac_11c9, 0x16e2_b4a0_8b66_39f2]),
        Scalar::from_raw([0xbd7c_fd84_a395_e838, 0x7544_bfb5_bc85_9064, 0x4d89_33e7_9838_93b1, 0x1768_b6d0_bbab_d43b]),
        Scalar::from_raw([0xb330_12d6_5c91_e313, 0x69eb_518f_1b1d_fd2c, 0xd520_6a3c_6746_4d7f, 0x1fae_a641_5e68_0069]),
        Scalar::from_raw([0x7b35_2d54_0594_71ec, 0x99e5_1600_9360_2b92, 0xeff0_9c79_68c5_7317, 0x2de1_53e0_b9e0_dd03]),
    ],
    [
        Scalar::from_raw([0x6bde_ea0e_6098_c536, 0x1df6_3a68_121c_0750, 0x9bf6_1dd2_b88f_64cc, 0x2ade_9a93_522e_2e0d]),
        Scalar::from_raw([0x9125_d24e_bdd8_fd10, 0xac5a_5182_5c8b_ed80, 0xfd7a_5f53_3a66_3d90, 0x0938_220a_7016_23e1]),
        Scalar::from_raw([0x83d6_0c46_38d8_cb72, 0xeeb2_2544_b8a4_6974, 0x8d88_ce20_4601_0a57, 0x06aa_537a_ce05_34e5]),
        Scalar::from_raw([0x59e9_9695_23d3_4fc5, 0xb190_9f23_a3dc_e6b6, 0x0255_b1a5_fb64_051a, 0x1f95_41c7_05b9_5ef9]),
    ],
    [
        Scalar::from_raw([0xcd3e_8924_46e5_0ff9, 0x0556_5849_0205_82ef, 0x9a79_69a8_282a_71c3, 0x23de_bb8c_0030_2136]),
        Scalar::from_raw([0x944c_281a_f35d_6377, 0xc62d_2acc_d7c3_c6c5, 0xa262_b0e9_15ff_f1ae, 0x0bf2_ca96_451c_bb14]),
        Scalar::from_raw([0xcce2_6138_12b4_358e, 0x9d19_11b8_565b_e322, 0xafc0_de88_a317_6498, 0x2c7f_9809_cace_0068]),
        Scalar::from_raw([0x821b_5f63_dfd1_0eec, 0x7f0e_7203_b9a7_e574, 0xb657_0ac8_8f36_52e7, 0x2107_71d9_375a_0643]),
    ],
    [
        Scalar::from_raw([0xa21b_8523_4752_f476, 0xa1af_2162_6cfc_1f96, 0x98e5_9faf_05ea_f3ea, 0x0067_fe55_293c_933f]),
        Scalar::from_raw([0x82cc_5c21_71b9_ac8b, 0xc69d_44a3_4853_5ea7, 0x439c_dce1_1d69_6fbe, 0x21f8_f134_1f50_53b5]),
        Scalar::from_raw([0x2092_d96e_f069_aea5, 0xf180_4180_89dd_f821, 0x8476_d752_bbff_cafc, 0x1641_9ac8_f54d_c6d1]),
        Scalar::from_raw([0xbb43_c5f6_f179_49e6, 0xf683_708c_78b9_c093, 0xc9d5_cf27_5c43_975b, 0x0aaa_4ea3_d4a6_2822]),
    ],
    [
        Scalar::from_raw([0x06b4_667f_bc8b_c42a, 0xf55e_e971_0e9a_0c5e, 0x2b0e_395a_3ebb_3784, 0x0c37_d733_050f_604f]),
        Scalar::from_raw([0x6300_1805_317e_a6c3, 0xb1b6_a4a4_91cf_c975, 0xa10d_d00b_d2f0_cde0, 0x2824_f5b6_c26e_8477]),
        Scalar::from_raw([0x9122_cc31_650f_a397, 0x6ed0_597b_ee28_c9db, 0xbf06_b83d_2c3e_2ba0, 0x01b2_5bf1_e4df_63b5]),
        Scalar::from_raw([0x7b2b_9a37_6040_8d39, 0x1f5d_cfea_620e_4fce, 0x0611_0957_1593_3524, 0x240b_6781_3eff_bb5f]),
    ],
    [
        Scalar::from_raw([0xd230_2f84_66ca_ff04, 0x28b8_49a6_90e3_1165, 0x2aa0_0bcf_7296_c58a, 0x2236_cd86_c8d6_5cb7]),
        Scalar::from_raw([0x27db_4a27_350f_bf36, 0xca95_ab42_9ff2_ca70, 0xdaea_043b_93aa_2b98, 0x2039_0ed1_8182_dcb8]),
        Scalar::from_raw([0x8034_7824_5ed6_eae2, 0xa5c2_08e5_9446_b7de, 0x9957_ecf0_d99f_3115, 0x1e64_3cdb_3873_8284]),
        Scalar::from_raw([0x4115_5468_f4c2_94c7, 0x1342_9651_6d3f_88b8, 0x06f7_66b1_2979_3d5a, 0x1e85_4ba3_1f89_0595]),
    ],
    [
        Scalar::from_raw([0x7f6f_291d_d590_91c2, 0xc6cb_a4b3_f6f8_7acb, 0xc307_f498_58f7_f2e1, 0x07ca_4952_be42_1a53]),
        Scalar::from_raw([0xbb12_85e7_f26e_8f06, 0x2eaa_0c93_4e90_30c8, 0x1e2b_7754_a410_9b4d, 0x1315_91c5_41dd_94f4]),
        Scalar::from_raw([0x6868_2bd8_a4ed_0584, 0x5d52_e0fa_92fd_5f89, 0xab40_087c_5546_dca5, 0x2cdd_8e8a_6c5a_6cfc]),
        Scalar::from_raw([0x40bc_8647_27ea_6c5c, 0xa25c_796b_d063_0c95, 0x9e5b_8ee9_b222_6ea9, 0x10c3_f10b_28be_b659]),
    ],
    [
        Scalar::from_raw([0x1b23_66e6_00e9_cb89, 0x73d4_8840_7e6c_e946, 0x3e18_ec55_4dc0_909d, 0x10b8_439f_8b5f_d9c2]),
        Scalar::from_raw([0x176c_8666_a14a_f97b, 0x234b_db81_fa1f_7069, 0x25d5_8c93_9386_2f6c, 0x1c0e_2dd3_e1e3_1ba1]),
        Scalar::from_raw([0xb8c5_4c61_a097_2ebd, 0x1585_5a1f_8dbd_93f9, 0x08dd_b465_61c6_5733, 0x305e_bc67_b858_3cc6]),
        Scalar::from_raw([0x2c63_7d85_ce84_cde7, 0x56bb_0b67_ee98_4b3a, 0xe973_da23_508e_0ff2, 0x0794_9661_2e6a_96e6]),
    ],
    [
        Scalar::from_raw([0x4a8f_1f9c_ab7e_d4b3, 0x7781_162f_5625_2595, 0xac78_003e_9b0d_75d7, 0x05a4_cd4d_2576_ac3b]),
        Scalar::from_raw([0xb688_3012_7e00_167e, 0x4989_fd6d_0b1d_9cc7, 0xc545_b8b4_1d65_772d, 0x1e4d_bb96_d44d_70ab]),
        Scalar::from_raw([0x460e_e55c_8511_7bae, 0xd54f_9445_a4bf_b6cf, 0x47b3_44be_cb11_fee7, 0x2bbe_a759_cbe1_3e90]),
        Scalar::from_raw([0xaf3b_600d_7289_4c12, 0xb2fc_e79e_734c_285a, 0x002d_081b_d9fd_fbfa, 0x1a03_ee92_8249_2493]),
    ],
    [
        Scalar::from_raw([0x97fe_54fe_7023_bd28, 0x17a8_0223_e530_11ca, 0x018a_13d4_3da0_0f1c, 0x02d0_ac66_2607_bf9e]),
        Scalar::from_raw([0x4615_ebd5_a104_b333, 0x05ae_e732_c9ce_cabe, 0xe4a0_a6e2_88d9_9c09, 0x2cb7_4b97_aa5a_0461]),
        Scalar::from_raw([0xa806_c7b6_ee73_86f5, 0x9cb2_e2a1_d787_0a61, 0xfd67_b299_6ec2_424a, 0x1cfa_cccb_910a_37fb]),
        Scalar::from_raw([0xfb88_a3a5_2c55_7388, 0x8119_f457_fb5d_bfd6, 0x0113_34c1_95de_5755, 0x1760_b5a3_dec4_31d5]),
    ],
    [
        Scalar::from_raw([0x88f9_0d30_a96a_5f0f, 0x4ae4_30a3_ebd8_6da5, 0xff12_621a_ca5a_e587, 0x2f48_3362_e91e_5828]),
        Scalar::from_raw([0x7053_edc6_6cc1_af4d, 0x40a5_d6b6_8d26_3341, 0xd2bc_d85e_bd23_d788, 0x22ce_5efa_27f6_2c09]),
        Scalar::from_raw([0x6d0e_0e4f_7e0f_28b6, 0x9a5d_4598_684e_6db4, 0x9225_4d49_92ee_c9b5, 0x23ed_d1de_61c4_95e3]),
        Scalar::from_raw([0xbfd0_dcba_a3c8_16c7, 0x1d0a_cc7b_fe44_3050, 0x4891_c925_a46b_5a9b, 0x0bfb_b36d_010f_34c5]),
    ],
    [
        Scalar::from_raw([0x729e_bd58_28d1_67d7, 0x7f54_4382_1f02_61de, 0x59f3_9a8c_d0c7_f0e9, 0x202e_297f_6ede_5f88]),
        Scalar::from_raw([0xf93d_0f52_78b5_45da, 0xafdd_aa62_64da_67a7, 0xacb5_a61d_a8b0_ce8e, 0x21ae_abf9_8b91_9a79]),
        Scalar::from_raw([0x5ff3_f94d_07c1_5d52, 0x946b_e373_54eb_3fe7, 0xbffa_e123_7b88_f932, 0x2b3e_91f8_c875_44d3]),
        Scalar::from_raw([0xba18_2402_5eab_8016, 0xd63b_e01d_ae7c_8244, 0x5401_077e_145f_fc7e, 0x304f_9ec9_3c84_cb21]),
    ],
    [
        Scalar::from_raw([0xd535_e36b_d3e2_4c85, 0xc93b_1792_8d4f_ebea, 0x8257_c35b_7dcf_4866, 0x2a2c_e621_2084_c0fd]),
        Scalar::from_raw([0xaec2_b485_d700_cb49, 0xe15a_bebd_4a7a_1981, 0x4e93_b4ef_7aff_2765, 0x2a4c_632e_0c6b_fd73]),
        Scalar::from_raw([0x6c5c_9971_1b2b_1958, 0x8735_e8b1_d0f5_bc2a, 0xf5b9_ba7a_5c1b_1706, 0x0e9a_f43a_b625_8d55]),
        Scalar::from_raw([0xf66b_f978_1be3_22b2, 0xe81f_8a3a_fccf_5f91, 0xb844_7bae_e23d_2897, 0x1db8_4955_2bec_3e70]),
    ],
    [
        Scalar::from_raw([0x246f_33c5_ed47_b194, 0x68b6_ca39_baae_0e2d, 0x3b9b_5d78_6cc7_15e5, 0x1a7a_09d8_d343_87e1]),
        Scalar::from_raw([0xbf25_4906_1981_2c04, 0x798f_ccdb_47d0_cff6, 0xf15e_33c5_f1ea_bf0f, 0x175f_2f49_ecdd_c770]),
        Scalar::from_raw([0x574c_ce62_aee9_10b7, 0x0bdc_da8c_6ad3_9435, 0xc989_78a7_d1c3_7e18, 0x0bf3_5ceb_455d_f243]),
        Scalar::from_raw([0x9c32_0109_3e13_7d80, 0xa89c_ca2c_b7eb_4950, 0xc64b_0882_9f21_1c64, 0x2944_2c39_d376_d983]),
    ],
];
